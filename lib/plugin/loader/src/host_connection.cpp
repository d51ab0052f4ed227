#include "abi_status.hpp"
#include "abi_text.hpp"
#include "host_call.hpp"

namespace disttask::plugin {

/// The functions of disttask_ext_connection.
struct ConnectionTable {
  static HostCall& of(const disttask_host* host) noexcept { return *static_cast<HostCall*>(host->impl); }

  static disttask_status get(
      const disttask_host* host, disttask_str name, disttask_sink json, disttask_sink error
  ) noexcept {
    try {
      HostCall& call = of(host);
      auto found = call.services_.connections.get(std::string(fromAbi(name)), call.names_.type);
      writeTo(json, found.value());
      return DISTTASK_OK;
    } catch (...) {
      return currentStatus(error);
    }
  }

  static disttask_status acquire(const disttask_host* host, disttask_str name, disttask_sink error) noexcept {
    try {
      HostCall& call = of(host);
      call.services_.connections.acquire(std::string(fromAbi(name)), call.names_.type, call.token_);
      return DISTTASK_OK;
    } catch (...) {
      return currentStatus(error);
    }
  }

  static void release(const disttask_host* host, disttask_str name) noexcept {
    try {
      HostCall& call = of(host);
      call.services_.connections.release(std::string(fromAbi(name)), call.names_.type);
    } catch (...) {
      // Only the copy of the name can throw; the place then stays taken until the process ends.
    }
  }
};

const disttask_ext_connection& connectionExtension() noexcept {
  static constexpr disttask_ext_connection kExtension{
      sizeof(disttask_ext_connection), 0, &ConnectionTable::get, &ConnectionTable::acquire, &ConnectionTable::release};
  return kExtension;
}

}  // namespace disttask::plugin
