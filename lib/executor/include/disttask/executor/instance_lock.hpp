#pragma once
#include <filesystem>
#include <string>

namespace disttask::executor {

/// Proves that this process alone is the instance that a state directory stands for (design rule 5): holds a lock on a
/// file in it as long as it lives. The lock is flock's, its descriptor is inherited by children, so it also holds while
/// a child outlives the process. Move-only.
class InstanceLock {
 public:
  /// Makes the directory when there is none, takes the lock, and reads or makes the instance's UUID. Throws
  /// kAlreadyExists, naming the process that holds the lock; kInvalidConfig when the directory cannot be used.
  static InstanceLock acquire(
      const std::filesystem::path& state_dir,
      const std::filesystem::path& boot_id_file = "/proc/sys/kernel/random/boot_id"
  );
  InstanceLock(InstanceLock&& other) noexcept;
  InstanceLock& operator=(InstanceLock&&) = delete;
  ~InstanceLock();

  [[nodiscard]] const std::string& instanceUuid() const noexcept { return instance_uuid_; }
  [[nodiscard]] const std::string& bootId() const noexcept { return boot_id_; }
  /// Returns "device:inode" of the lock file: a copied directory has another.
  [[nodiscard]] const std::string& lockFileId() const noexcept { return lock_file_id_; }

 private:
  explicit InstanceLock(int descriptor) noexcept : descriptor_(descriptor) {}
  int descriptor_;
  std::string instance_uuid_;
  std::string boot_id_;
  std::string lock_file_id_;
};

}  // namespace disttask::executor
