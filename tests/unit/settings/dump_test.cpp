#include "support.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::settings;
using namespace disttask::settings::test;

TEST_CASE("dumpSettings writes text that gives the same settings when read again") {
  const auto text = dumpSettings(parse(kStore + R"(
node: {id: n-1, lease: 90s, memory: 512MiB}
scheduler: {enabled: false}
plugins: {list: [a.so, b.so], config: {csv_import: {allowed_dirs: [/data]}}}
connections:
  target: {endpoint: "127.0.0.1:4000", user: "im: port", types: [csv_import], schemas: [demo]}
log: {level: debug, format: json}
)")
                                     .value());
  const auto again = parse(text);
  REQUIRE(again);
  CHECK(dumpSettings(again.value()) == text);
  CHECK(again.value().node.lease == std::chrono::seconds(90));
  CHECK(again.value().connections.at("target").user == "im: port");
  CHECK(again.value().plugins.config.at("csv_import") == Json::parse(R"({"allowed_dirs":["/data"]})"));
}

TEST_CASE("dumpSettings shows a socket as a socket, which is read again") {
  const auto text = dumpSettings(
      parse("store: {socket: /run/s.sock}\nconnections: {c: {socket: /run/t.sock, user: u, types: [t], schemas: [s]}}")
          .value()
  );
  CHECK_THAT(
      text, Catch::Contains("\n  socket: \"/run/s.sock\"\n") && Catch::Contains("    socket: \"/run/t.sock\"\n")
  );
  const auto again = parse(text);
  REQUIRE(again);
  CHECK(dumpSettings(again.value()) == text);
}

TEST_CASE("dumpSettings shows where a password comes from and never a secret") {
  const ScratchFile file("hush-hush\n");
  auto settings = parse(
                      "store: {socket: /s, password_file: " + file.path() +
                      "}\nplugins: {config: {t: {api_token: tell-nobody, deep: [{Password: psst}]}}}"
  )
                      .value();
  settings.connections["c"].password.value = "inline-secret";
  const auto text = dumpSettings(settings);
  CHECK(text.find(file.path()) != std::string::npos);
  for (const auto* secret : {"hush-hush", "tell-nobody", "psst", "inline-secret"})
    CHECK(text.find(secret) == std::string::npos);
}
