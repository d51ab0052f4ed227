#include "sql_batch_type.hpp"

DISTTASK_PLUGIN("sql_batch", "0.1.0", disttask::sql_batch::SqlBatch)
