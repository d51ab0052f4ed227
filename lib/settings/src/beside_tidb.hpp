#pragma once
#include "disttask/settings/settings.hpp"
#include "section.hpp"

namespace disttask::settings {

/// Checks what `store.schema: mysql` asks of the other sections, and switches the scheduler role off: TiDB's own
/// scheduler has it. Nothing with another schema. `root`: the whole file.
void applyBesideTiDb(Section& root, Settings& settings);

}  // namespace disttask::settings
