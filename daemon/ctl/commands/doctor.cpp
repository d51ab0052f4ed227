#include "../args/doctor.hpp"

#include "commands.hpp"
#include "disttask/runtime/clock.hpp"

#include "../doctor/findings.hpp"
#include "../doctor/watch.hpp"
#include "../output/listing.hpp"
#include "../output/table.hpp"

namespace disttask::ctl {
namespace {

/// At most so many of each kind are looked at.
constexpr std::int32_t kMaxLooked = 1000;

std::optional<std::chrono::milliseconds> watchOf(const Doctor& options, const DoctorFacts& facts) {
  if (options.observe || !facts.is_beside_tidb) return options.observe;
  return watchBesideTiDb(facts.nodes);
}

/// Finds how the lives of nodes that are not live ended.
void findEnds(Context& context, DoctorFacts& facts) {
  constexpr int kMaxNodes = 50;
  constexpr std::int32_t kKeptEvents = 100;
  int looked = 0;
  for (const auto& node : facts.nodes) {
    if (node.life != proto::Life()) continue;
    if (++looked > kMaxNodes) return;  // a query each
    for (auto& event : context.store().clientTable().listNodeEvents(context.call(), node.exec_id, kKeptEvents)) {
      if (event.event == "registered") facts.ends.erase(node.exec_id);  // that life's end was told by nobody yet
      if (event.event == "stopped" || event.event == "evicted") facts.ends[node.exec_id] = event.event;
    }
  }
}

void lookAtTables(Context& context, const Doctor& options, DoctorFacts& facts) {
  auto& store = context.store();
  facts.owner = store.reasonTable().getRoleHolder(context.call());
  facts.nodes = store.nodeTable().getAllNodes(context.call());
  if (facts.is_beside_tidb) facts.registered = store.health().listRegistered(context.call(), kMaxLooked);
  const auto observe = watchOf(options, facts);
  if (observe && observe->count() > 0) {
    const auto before = facts.nodes;
    runtime::Wakeup pause(runtime::systemClock());
    if (!options.observe)
      context.err() << "watching the leases for " << observe->count() / 1000 << " s: TiDB does not know them\n"
                    << std::flush;
    pause.waitFor({}, *observe);
    facts.nodes = store.nodeTable().getAllNodes(context.call());
    noteSilence(before, facts.nodes, *observe, facts);
    facts.owner = store.reasonTable().getRoleHolder(context.call());
    for (const auto& exec_id : facts.silent) {
      const auto work = store.health().lookAtNode(context.call(), exec_id, kMaxLooked);
      facts.silent_holders.push_back({exec_id, true, work.pending, static_cast<std::int64_t>(work.runs.size())});
    }
  }
  findEnds(context, facts);
  facts.stuck = store.health().findStuckStates(context.call(), kMaxLooked);
}

/// A store that cannot be asked is a finding like others.
Finding unreachable(const Error& error) {
  constexpr int kTlsFailed = 2026;
  const bool login = error.code() == ErrorCode::kStoreNoPrivilege;
  const bool unfit = error.code() == ErrorCode::kStoreSessionUnfit;
  const char* const remedy =
      error.storeNumber() == kTlsFailed
          ? "see the certificates: the server's must be in its time, signed by the CA of tls.ca, "
            "and made for the name or address of the endpoint"
      : unfit ? "set right what it names: no daemon works with such a session"
              : "see whether the server runs and is reached from here";
  return {
      Severity::kError,
      login ? "store_no_privilege" : "store_unreachable",
      "",
      error.message(),
      login ? "see user, password and rights of the account; disttaskctl grants print shows what it needs" : remedy};
}

void print(Context& context, const std::vector<Finding>& findings, const DoctorFacts& facts) {
  auto& out = context.out();
  if (facts.server) {
    out << "store    " << facts.server->server
        << (facts.server->cipher.empty() ? ", not encrypted" : ", encrypted by " + facts.server->cipher) << '\n';
  }
  if (facts.owner && facts.owner->life != proto::Life()) out << "owner    " << printable(facts.owner->exec_id) << '\n';
  if (facts.owner) {
    std::size_t live = 0;
    for (const auto& node : facts.nodes) live += node.life != proto::Life() ? 1 : 0;
    out << "nodes    " << live << " live of " << facts.nodes.size() << '\n';
  }
  for (const auto& finding : findings) {
    const auto style = finding.severity == Severity::kError     ? Style::kBad
                       : finding.severity == Severity::kWarning ? Style::kWarning
                                                                : Style::kDim;
    const std::string severity(toString(finding.severity));
    out << '\n' << (context.terminal().has_color ? styled(severity, style) : severity) << "  " << finding.code;
    if (!finding.subject.empty()) out << "  " << printable(finding.subject);
    out << "\n  " << printable(finding.text) << "\n  remedy: " << printable(finding.remedy) << '\n';
  }
  const int code = exitCodeOf(findings);
  out << (findings.empty() ? "" : "\n") << (code == 0 ? "healthy" : code == 1 ? "degraded" : "down") << '\n';
}

}  // namespace

int execute(Context& context, const Doctor& options) {
  DoctorFacts facts;
  facts.role = std::string(toString(options.role));
  std::optional<Finding> broken;
  try {
    auto& store = context.store();
    facts.is_beside_tidb = context.isBesideTidb();
    facts.schema = store.schema().status(context.call());
    // Sessions of the tables need the database.
    if (facts.schema->version_found > 0) {
      facts.server = store.health().lookAtServer(context.call());
      facts.missing_rights =
          store.health().findMissingRights(context.call(), rightsOf(options.role, context.schemas()));
    }
    // All that is looked at there is in the version before, too.
    const bool is_usable = facts.schema->version_found >= facts.schema->version_expected - 1;
    if (facts.schema->problems.empty() && facts.schema->version_found > 0 && is_usable)
      lookAtTables(context, options, facts);
  } catch (const Exception& e) {
    const auto code = e.error().code();
    // Wrong use and wrong settings are no findings about a cluster.
    if (code == ErrorCode::kInvalidArgument || code == ErrorCode::kInvalidConfig || code == ErrorCode::kNotFound) throw;
    if (code == ErrorCode::kStoreNoPrivilege && !facts.missing_rights.empty()) {
      // Said already, table by table.
    } else {
      broken = unreachable(e.error());
    }
  }
  auto findings = diagnose(facts);
  if (broken) findings.insert(findings.begin(), *broken);
  const int code = exitCodeOf(findings);
  Json::Array list;
  for (const auto& finding : findings) list.push_back(toJson(finding));
  const std::string health = code == 0 ? "healthy" : code == 1 ? "degraded" : "down";
  const Json json = Json::Object{
      {"health", health},
      {"server", facts.server ? facts.server->server : ""},
      {"findings", std::move(list)},
  };
  printOne(context, health, json, [&] { print(context, findings, facts); });
  return code;
}

}  // namespace disttask::ctl
