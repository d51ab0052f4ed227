#include "disttask/storage/mysql/store.hpp"

#include "factories.hpp"
#include "store_context.hpp"

namespace disttask::storage::mysql {

Store::Store(StoreSettings settings, runtime::Clock& clock)
    : context_(std::make_unique<StoreContext>(std::move(settings), clock)),
      schema_(std::make_unique<Schema>(*context_)),
      health_(std::make_unique<Health>(*context_)),
      nodes_(makeNodeTable(*context_)),
      tasks_(makeTaskTable(*context_)),
      clients_(makeClientTable(*context_)),
      scheduler_(makeSchedulerTable(*context_)),
      plans_(makePlanTable(*context_)),
      history_(makeHistoryTable(*context_)),
      polls_(makePollTable(*context_)),
      reasons_(makeReasonTable(*context_)),
      run_logs_(makeRunLogTable(*context_)) {}

Store::~Store() = default;

TaskTable& Store::taskTable() noexcept {
  return *tasks_;
}
ClientTable& Store::clientTable() noexcept {
  return *clients_;
}
NodeTable& Store::nodeTable() noexcept {
  return *nodes_;
}
SchedulerTable& Store::schedulerTable() noexcept {
  return *scheduler_;
}
PlanTable& Store::planTable() noexcept {
  return *plans_;
}
HistoryTable& Store::historyTable() noexcept {
  return *history_;
}
PollTable& Store::pollTable() noexcept {
  return *polls_;
}
ReasonTable& Store::reasonTable() noexcept {
  return *reasons_;
}
RunLogTable& Store::runLogTable() noexcept {
  return *run_logs_;
}
Schema& Store::schema() noexcept {
  return *schema_;
}
Health& Store::health() noexcept {
  return *health_;
}

std::string Store::storeId(const Call& call) {
  const std::lock_guard lock(store_id_mutex_);
  if (store_id_.empty()) store_id_ = schema_->readStoreId(call);
  return store_id_;
}
const StoreSettings& Store::settings() const noexcept {
  return context_->settings();
}

}  // namespace disttask::storage::mysql
