#include "sandbox.hpp"

#include <catch2/catch.hpp>

using namespace disttask::csv_import;

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

TEST_CASE("What hides a file is read from the mounts of this process") {
  const std::string hidden = std::string(kPlain) + kHidden;
  CHECK(sandboxOver("/home/exports/rows.csv", hidden) == "ProtectHome=");
  CHECK(sandboxOver("/home", hidden) == "ProtectHome=");
  CHECK(sandboxOver("/root/rows.csv", hidden) == "ProtectHome=");
  CHECK(sandboxOver("/tmp/rows.csv", hidden) == "PrivateTmp=");
  CHECK(sandboxOver("/srv/secret/rows.csv", hidden) == "InaccessiblePaths=");
  for (const auto* path : {"/srv/rows.csv", "/homes/rows.csv", "/tmpfiles", "/", ""})
    CHECK(sandboxOver(path, hidden).empty());
}

TEST_CASE("ProtectHome=tmpfs shows an empty folder that is read-only") {
  const std::string text = std::string(kPlain) + "90 24 0:40 / /home ro,nosuid - tmpfs tmpfs ro,mode=755\n";
  CHECK(sandboxOver("/home/exports/rows.csv", text) == "ProtectHome=");
}

TEST_CASE("Without a sandbox nothing is said, nor of lines that are none") {
  for (const auto* path : {"/home/exports/rows.csv", "/tmp/rows.csv", "/srv/rows.csv"}) {
    CHECK(sandboxOver(path, kPlain).empty());
    CHECK(sandboxOver(path, "").empty());
    CHECK(sandboxOver(path, "90 24\n\n - - - \n").empty());
  }
}
