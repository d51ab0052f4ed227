#include "disttask/base/sandbox.hpp"

#include "support/temp_dir.hpp"
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>

using namespace disttask;

namespace {

constexpr const char* kPlain =
    "24 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    "31 24 0:29 / /run rw,nosuid,nodev - tmpfs tmpfs rw,mode=755\n"
    "33 24 8:1 / /home rw,relatime - ext4 /dev/sdb rw\n"
    "34 24 0:33 / /tmp rw,nosuid - tmpfs tmpfs rw\n";

// As a unit sees them, added to those above.
constexpr const char* kHidden =
    "90 24 0:29 /systemd/inaccessible/dir /home ro,nosuid,nodev,noexec - tmpfs tmpfs rw,mode=755\n"
    "91 24 0:29 /systemd/inaccessible/dir /root ro,nosuid,nodev,noexec - tmpfs tmpfs rw,mode=755\n"
    "92 24 254:0 /tmp/systemd-private-4e1f-disttaskd.service-Ab1/tmp /tmp rw,nosuid - ext4 /dev/vda rw\n"
    "93 24 0:29 /systemd/inaccessible/dir /srv/secret ro,nosuid - tmpfs tmpfs rw\n";

}  // namespace

TEST_CASE("What hides a file is read from the mounts of this process", "[base][sandbox]") {
  const std::string hidden = std::string(kPlain) + kHidden;
  CHECK(sandboxOver("/home/exports/rows.csv", hidden) == "ProtectHome=");
  CHECK(sandboxOver("/home", hidden) == "ProtectHome=");
  CHECK(sandboxOver("/root/rows.csv", hidden) == "ProtectHome=");
  CHECK(sandboxOver("/tmp/rows.csv", hidden) == "PrivateTmp=");
  CHECK(sandboxOver("/srv/secret/rows.csv", hidden) == "InaccessiblePaths=");
  for (const auto* path : {"/srv/rows.csv", "/homes/rows.csv", "/tmpfiles", "/", ""})
    CHECK(sandboxOver(path, hidden).empty());
}

TEST_CASE("ProtectHome=tmpfs shows an empty folder that is read-only", "[base][sandbox]") {
  const std::string text = std::string(kPlain) + "90 24 0:40 / /home ro,nosuid - tmpfs tmpfs ro,mode=755\n";
  CHECK(sandboxOver("/home/exports/rows.csv", text) == "ProtectHome=");
}

TEST_CASE("Without a sandbox nothing is said, nor of lines that are none", "[base][sandbox]") {
  for (const auto* path : {"/home/exports/rows.csv", "/tmp/rows.csv", "/srv/rows.csv"}) {
    CHECK(sandboxOver(path, kPlain).empty());
    CHECK(sandboxOver(path, "").empty());
    CHECK(sandboxOver(path, "90 24\n\n - - - \n").empty());
    CHECK(writeProtectionOver(path, kPlain).empty());
    CHECK(writeProtectionOver(path, "90 24\n\n - - - \n").empty());
  }
}

TEST_CASE("A folder that the unit shows within a hidden one is not hidden", "[base][sandbox]") {
  const std::string text =
      std::string(kPlain) + kHidden + "95 90 8:1 /exports /home/exports ro,relatime - ext4 /dev/sdb rw\n";
  CHECK(sandboxOver("/home/exports/rows.csv", text).empty());
  CHECK(sandboxOver("/home/others/rows.csv", text) == "ProtectHome=");
}

TEST_CASE("What makes a folder read-only is read from the mounts of this process", "[base][sandbox]") {
  // ProtectSystem=strict with ReadWritePaths=/srv/rejects, and ProtectHome=read-only.
  const std::string text =
      "24 1 254:0 / / ro,relatime shared:1 - ext4 /dev/vda rw\n"
      "33 24 8:1 / /home ro,relatime - ext4 /dev/sdb rw\n"
      "34 24 254:0 /srv/rejects /srv/rejects rw,relatime - ext4 /dev/vda rw\n"
      "35 24 8:2 / /mnt/broken ro,relatime - ext4 /dev/sdc ro,errors=remount-ro\n";
  CHECK(writeProtectionOver("/srv/archive", text) == "ProtectSystem=");
  CHECK(writeProtectionOver("/home/ann", text) == "ProtectHome=");
  CHECK(writeProtectionOver("/srv/rejects/a.csv", text).empty());
  CHECK(writeProtectionOver("/mnt/broken/a.csv", text).empty());
  CHECK(writeProtectionOver("relative", text).empty());
  CHECK(sandboxOver("/srv/archive", text).empty());
}

namespace {

/// Runs `work` in a process whose mounts are its own; returns its text, or "" where no such process may be made.
std::string inOwnMounts(const std::function<std::string()>& work) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return "";
  const pid_t child = ::fork();
  if (child == 0) {
    const bool apart = ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    const auto text = apart ? work() : std::string();
    ::_exit(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  std::string text;
  std::array<char, 4096> part{};
  for (ssize_t count = 0; (count = ::read(ends[0], part.data(), part.size())) > 0;)
    text.append(part.data(), static_cast<std::size_t>(count));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return text;
}

}  // namespace

TEST_CASE("The hint on a folder that is read-only for this process names setting and remedy", "[base][sandbox]") {
  const test::TempDir folder;
  const auto path = folder.path().string();
  CHECK(sandboxWriteHint(path).empty());
  const auto hint = inOwnMounts([&path]() -> std::string {
    if (::mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) return "";
    if (::mount("none", path.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) return "";
    return sandboxHint(path + "/a") + sandboxWriteHint(path + "/a");
  });
  if (hint.empty()) {
    WARN("needs the right to mount");
    return;
  }
  CHECK(
      hint ==
      "; it is read-only for this process, as by ProtectSystem= of the daemon's systemd unit, a drop-in with "
      "ReadWritePaths= opens it (docs/operations.md)"
  );
}
