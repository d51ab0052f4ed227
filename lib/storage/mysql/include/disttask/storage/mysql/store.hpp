#pragma once
#include "disttask/runtime/clock.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "disttask/storage/client_table.hpp"
#include "disttask/storage/history_table.hpp"
#include "disttask/storage/mysql/health.hpp"
#include "disttask/storage/mysql/schema.hpp"
#include "disttask/storage/node_table.hpp"
#include "disttask/storage/plan_table.hpp"
#include "disttask/storage/poll_table.hpp"
#include "disttask/storage/reason_table.hpp"
#include "disttask/storage/run_log_table.hpp"
#include "disttask/storage/scheduler_table.hpp"
#include "disttask/storage/task_table.hpp"

#include <memory>
#include <mutex>
#include <string>

namespace disttask::storage::mysql {

struct StoreSettings {
  sqlclient::ConnectSettings
      connect;  ///< endpoints, user, TLS, time limits; its schema, session and idle limit are set by the store
  std::string schema = "disttask";  ///< the database that holds our tables
  std::size_t pool_size = 4;  ///< most connections at once; one more writes starts and finishes, one renews leases
  /// An idle session older than this is not used again; earlier where the server would have ended it by then.
  std::chrono::milliseconds max_idle = std::chrono::seconds(30);
  std::chrono::milliseconds lease{
      30'000};  ///< the node lease: no transaction of ours may stand idle for longer than a third of it
  bool shared_with_dxf =
      false;  ///< beside a live TiDB: true for schema `mysql` and wherever there is a side_schema, whatever is set
  /// The database of our side tables when `schema` is that of a live TiDB, whose tables are used as they are and where
  /// no DDL is ever run. Empty: all tables are in `schema`; for schema `mysql` empty means "disttask".
  std::string side_schema = {};
  /// For people who only read beside a live TiDB where there are no side tables, or none that this account may see:
  /// sessions begin in `schema`. Tasks, subtasks and their progress, slot holders and the history can be read; there is
  /// no owner; what needs a side table throws kStoreSchema or kStoreNoPrivilege.
  bool without_side_tables = false;
};

class StoreContext;

/// The tables on a MySQL-compatible server. Connects when first used; any thread. Owns its pools and tables; they live
/// as long as it does.
class Store {
 public:
  Store(StoreSettings settings, runtime::Clock& clock);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  [[nodiscard]] TaskTable& taskTable() noexcept;
  [[nodiscard]] ClientTable& clientTable() noexcept;
  [[nodiscard]] NodeTable& nodeTable() noexcept;
  [[nodiscard]] SchedulerTable& schedulerTable() noexcept;
  [[nodiscard]] PlanTable& planTable() noexcept;
  [[nodiscard]] HistoryTable& historyTable() noexcept;
  [[nodiscard]] PollTable& pollTable() noexcept;
  [[nodiscard]] ReasonTable& reasonTable() noexcept;
  [[nodiscard]] RunLogTable& runLogTable() noexcept;
  [[nodiscard]] Schema& schema() noexcept;
  [[nodiscard]] Health& health() noexcept;

  /// Returns the random id that the schema got when it was installed; read once. Throws kStoreSchema when there is
  /// none.
  [[nodiscard]] std::string storeId(const Call& call);
  /// Returns the settings as the store uses them.
  [[nodiscard]] const StoreSettings& settings() const noexcept;

 private:
  std::unique_ptr<StoreContext> context_;  // first: the others use it
  std::unique_ptr<Schema> schema_;
  std::unique_ptr<Health> health_;
  std::unique_ptr<NodeTable> nodes_;
  std::unique_ptr<TaskTable> tasks_;
  std::unique_ptr<ClientTable> clients_;
  std::unique_ptr<SchedulerTable> scheduler_;
  std::unique_ptr<PlanTable> plans_;
  std::unique_ptr<HistoryTable> history_;
  std::unique_ptr<PollTable> polls_;
  std::unique_ptr<ReasonTable> reasons_;
  std::unique_ptr<RunLogTable> run_logs_;
  std::mutex store_id_mutex_;
  std::string store_id_;
};

}  // namespace disttask::storage::mysql
