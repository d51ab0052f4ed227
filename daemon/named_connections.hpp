#pragma once
#include "disttask/plugin/connection_source.hpp"
#include "disttask/settings/loader.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>

namespace disttask::app {

/// The connections of the settings, as plugins get them: only by task types that a connection allows, the password read
/// at each call, never more places at a time than max_connections. Any thread.
class NamedConnections final : public plugin::ConnectionSource {
 public:
  NamedConnections(std::map<std::string, settings::ConnectionSettings> connections, std::string credentials_directory);

  /// Goes on with other connections: for the next call of each task. Places that are taken stay taken. Any thread.
  void reconfigure(std::map<std::string, settings::ConnectionSettings> connections);
  /// Sets the id of the store that this daemon works for; part of what get returns. Before any task runs.
  void setStoreId(std::string store_id);

  Expected<std::string> get(const std::string& name, const std::string& task_type) override;
  void acquire(const std::string& name, const std::string& task_type, const runtime::CancelToken& token) override;
  void release(const std::string& name, const std::string& task_type) noexcept override;

 private:
  [[nodiscard]] Expected<settings::ConnectionSettings> find(const std::string& name, const std::string& task_type)
      const;

  const std::string credentials_directory_;
  mutable std::mutex mutex_;
  std::condition_variable_any given_back_;
  std::map<std::string, settings::ConnectionSettings> connections_;  // guarded by mutex_
  std::string store_id_;                                             // guarded by mutex_
  std::map<std::string, std::int32_t> used_;                         // guarded by mutex_
};

}  // namespace disttask::app
