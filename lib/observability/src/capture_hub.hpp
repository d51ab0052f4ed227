#pragma once
#include "disttask/observability/log.hpp"

#include <functional>
#include <memory>
#include <span>

namespace disttask::observability {

/// Takes a line that a capture wants.
using Capturer = std::function<void(Level, std::string_view, std::span<const Field>)>;

/// While `capturer` lives, lines go to it instead of stderr.
void addCapturer(std::shared_ptr<const Capturer> capturer);
void removeCapturer(const std::shared_ptr<const Capturer>& capturer);

}  // namespace disttask::observability
