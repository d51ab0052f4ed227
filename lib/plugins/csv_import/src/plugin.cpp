#include "csv_import_type.hpp"

DISTTASK_PLUGIN("csv_import", "0.1.0", disttask::csv_import::CsvImport)
