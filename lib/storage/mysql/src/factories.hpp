#pragma once
#include "disttask/storage/client_table.hpp"
#include "disttask/storage/history_table.hpp"
#include "disttask/storage/node_table.hpp"
#include "disttask/storage/plan_table.hpp"
#include "disttask/storage/poll_table.hpp"
#include "disttask/storage/reason_table.hpp"
#include "disttask/storage/run_log_table.hpp"
#include "disttask/storage/scheduler_table.hpp"
#include "disttask/storage/task_table.hpp"

#include <memory>

namespace disttask::storage::mysql {

class StoreContext;

// Each table stands in the source file of its name. The context outlives the tables.
std::unique_ptr<NodeTable> makeNodeTable(StoreContext& context);
std::unique_ptr<TaskTable> makeTaskTable(StoreContext& context);
std::unique_ptr<ClientTable> makeClientTable(StoreContext& context);
std::unique_ptr<SchedulerTable> makeSchedulerTable(StoreContext& context);
std::unique_ptr<PlanTable> makePlanTable(StoreContext& context);
std::unique_ptr<HistoryTable> makeHistoryTable(StoreContext& context);
std::unique_ptr<PollTable> makePollTable(StoreContext& context);
std::unique_ptr<ReasonTable> makeReasonTable(StoreContext& context);
std::unique_ptr<RunLogTable> makeRunLogTable(StoreContext& context);

}  // namespace disttask::storage::mysql
