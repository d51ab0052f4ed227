#include "schema_lease.hpp"

#include "disttask/base/random.hpp"
#include "guarded_write.hpp"

#include "statements/schema.hpp"

namespace disttask::storage::mysql {

namespace {

constexpr std::chrono::milliseconds kLook{200};

struct Seen {
  std::int64_t changer = 0;
  std::int64_t renewals = 0;
  friend bool operator==(const Seen&, const Seen&) = default;
};

Seen look(sqlclient::Connection& connection) {
  auto rows = connection.query(statements::kReadSchemaRow, {});
  if (!rows.next()) throw Exception(ErrorCode::kStoreSchema, "table disttask_schema has lost its row");
  return {rows.getInt(2), rows.getInt(3)};
}

}  // namespace

SchemaLease::SchemaLease(const runtime::Call& call, const sqlclient::ConnectSettings& connect, runtime::Clock& clock)
    : clock_(clock), changer_(randomToken()), connection_(sqlclient::Connection::open(connect)) {
  take(call);
  threads_.spawn("schema-lease", [this] { renewUntilStopped(); });
}

SchemaLease::~SchemaLease() {
  stop_.cancel(runtime::CancelCause::kClosed);
  threads_.join();
  try {
    updateOne(*connection_, statements::kReleaseSchemaLease, {changer_});
  } catch (const Exception&) {  // it expires by itself
  }
}

void SchemaLease::take(const runtime::Call& call) {
  runtime::Wakeup pause(clock_);
  auto seen = look(*connection_);
  auto since = clock_.now();
  bool expired = false;
  for (;;) {
    // Matched 0: somebody else moved it in between.
    const bool is_free = seen.changer == 0 || expired;
    if (is_free && updateOne(*connection_, statements::kTakeSchemaLease, {changer_, seen.changer, seen.renewals}) == 1)
      return;
    if (!is_free) pause.waitFor(call.token, kLook);
    call.check("waiting for another change of the schema to end");
    // The time before the look: it stood still until then at least.
    const auto looked = clock_.now();
    const auto now = look(*connection_);
    if (now != seen) {
      seen = now;
      since = clock_.now();
    }
    expired = looked - since > kLease + std::chrono::seconds(1);
  }
}

void SchemaLease::renewUntilStopped() {
  runtime::Wakeup pause(clock_);
  auto renewed = clock_.now();
  while (pause.waitFor(stop_.token(), kLease / 5) != runtime::WakeReason::kCancelled) {
    try {
      const auto sent = clock_.now();
      if (updateOne(*connection_, statements::kRenewSchemaLease, {changer_}) == 1) {
        renewed = sent;
        continue;
      }
      lost_ = true;
      return;
    } catch (const Exception&) {  // the store may come back before the lease ends
      if (connection_->isBroken() || clock_.now() - renewed > kLease) {
        lost_ = true;
        return;
      }
    }
  }
}

void SchemaLease::throwIfLost() const {
  if (lost_) throw Exception(ErrorCode::kLost, "the right to change the schema was lost; run the installation again");
}

}  // namespace disttask::storage::mysql
