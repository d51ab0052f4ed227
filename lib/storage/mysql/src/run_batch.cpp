#include "run_batch.hpp"

#include "disttask/base/random.hpp"
#include "disttask/storage/run_write.hpp"
#include "guarded_write.hpp"

#include "statements/run_batch.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>

namespace disttask::storage::mysql {

namespace {

/// Longer values than the connector sends within the statement (256 KiB) reach a TiDB as bytes, which a cast leaves
/// bytes.
constexpr std::size_t kSentWithin = 128 << 10;
/// Ids up to here leave room in a token for a random part of 62 bits.
constexpr std::int64_t kMaxAlikeId = std::int64_t{1} << 61;

/// The texts of the merged UPDATE for one kind of server, by room, a power of two, so that a connection prepares only a
/// few.
class MergedTexts {
 public:
  explicit MergedTexts(const std::string& json) {
    for (std::size_t i = 0; i < made_.size(); ++i) {
      for (const bool with_summaries : {false, true}) {
        for (const auto starts : {sql::Starts::kAlike, sql::Starts::kEach}) {
          made_[i].at(placeOf(with_summaries, starts)) =
              sql::mergedRunsText(std::size_t{1} << i, with_summaries, starts, json);
        }
      }
    }
  }
  [[nodiscard]] const std::string& get(std::size_t room, bool with_summaries, sql::Starts starts) const {
    return made_.at(static_cast<std::size_t>(std::countr_zero(room))).at(placeOf(with_summaries, starts));
  }

 private:
  static std::size_t placeOf(bool with_summaries, sql::Starts starts) {
    return (with_summaries ? 1U : 0U) + (starts == sql::Starts::kEach ? 2U : 0U);
  }
  std::array<std::array<std::string, 4>, std::bit_width(kMaxRunWrites)> made_;
};

const std::string& mergedText(bool keeps_plan, std::size_t room, bool with_summaries, sql::Starts starts) {
  static const MergedTexts kTexts("convert(? using utf8mb4)");
  // TiDB keeps no plan of a statement with `convert … using`.
  static const MergedTexts kPlanTexts("cast(? as char)");
  return (keeps_plan ? kPlanTexts : kTexts).get(room, with_summaries, starts);
}

bool mayBeAlike(SubtaskId id) {
  return id.value() >= 0 && id.value() < kMaxAlikeId;
}

/// The list of ids, ascending, filled up to `count`. Doubles cost a MariaDB nothing; a TiDB keeps plans of lists
/// without doubles only.
void appendIds(
    sqlclient::Flavour flavour, const std::vector<RunBatchRow>& rows, std::size_t count, sqlclient::Values& values
) {
  const auto num_more = static_cast<std::int64_t>(count - rows.size());
  const bool distinct = flavour == sqlclient::Flavour::kTiDb;
  for (auto i = distinct ? num_more : 0; i > 0; --i) values.emplace_back(-i);
  for (const auto& row : rows) values.emplace_back(row.id.value());
  for (auto i = distinct ? 0 : num_more; i > 0; --i) values.emplace_back(rows.back().id.value());
}

/// What starts have in common when their part of the statement is short.
struct Alike {
  std::int64_t token_less_ids = 0;
  std::string task_key = "{}";
  std::int64_t step = -1;
  std::int64_t id_less_ordinal = 0;
  friend bool operator==(const Alike&, const Alike&) = default;
};

Alike alikeOf(const RunBatchRow& row) {
  const auto& as_read = row.start->as_read;
  const auto id = row.id.value();
  return {
      row.token.value() - 2 * id,
      proto::taskKeyOf(as_read.task_id),
      std::int64_t{as_read.step.value()},
      id - std::int64_t{as_read.ordinal}};
}

/// Nothing when they differ. Of no start at all: what no row has.
std::optional<Alike> whatStartsShare(const std::vector<RunBatchRow>& rows) {
  std::optional<Alike> shared;
  for (const auto& row : rows) {
    if (row.start == nullptr) continue;
    if (!mayBeAlike(row.id)) return std::nullopt;
    auto own = alikeOf(row);
    if (shared && own != *shared) return std::nullopt;
    shared = std::move(own);
  }
  return shared ? shared : Alike{};
}

}  // namespace

proto::RunToken batchTokenOf(std::int64_t shared_random, const RunStart& start) {
  if (!mayBeAlike(start.id)) return proto::makeRunToken(randomToken(), start.idempotent);
  return proto::makeRunToken(shared_random, start.id, start.idempotent);
}

std::int64_t sendRunBatch(Connection& connection, const ExecId& exec_id, const std::vector<RunBatchRow>& rows) {
  const auto isStart = [](const RunBatchRow& row) { return row.start != nullptr; };
  const auto isFinish = [](const RunBatchRow& row) { return row.finish != nullptr; };
  const auto hasSummary = [](const RunBatchRow& row) { return row.summary.has_value(); };
  const auto num_finishes = static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), isFinish));
  const bool with_summaries = std::any_of(rows.begin(), rows.end(), hasSummary);
  const auto room = std::bit_ceil(std::max({num_finishes, rows.size() - num_finishes, std::size_t{1}}));
  const auto alike = whatStartsShare(rows);
  sqlclient::Values values;
  values.reserve(room * 12 + 8);
  const auto addId = [&](const RunBatchRow& row) { values.emplace_back(row.id.value()); };
  const auto addToken = [&](const RunBatchRow& row) { values.emplace_back(row.token.value()); };
  const auto addIdAndToken = [&](const RunBatchRow& row) {
    addId(row);
    addToken(row);
  };
  // Each list first gets what there is, then up to the room what no row matches: of the same types and without doubles,
  // since TiDB keeps a plan for those of its first binds.
  const auto list = [&](const auto& belongs, const auto& add, const sqlclient::Values& rest_of_nobody) {
    auto unused = static_cast<std::int64_t>(room);
    for (const auto& row : rows) {
      if (!belongs(row)) continue;
      add(row);
      --unused;
    }
    for (; unused > 0; --unused) {
      values.emplace_back(-unused);
      values.insert(values.end(), rest_of_nobody.begin(), rest_of_nobody.end());
    }
  };
  const std::int64_t no_number = -1;
  const std::string no_text = "{}";
  const auto addIdAndMeta = [&](const RunBatchRow& row) {
    addId(row);
    values.emplace_back(row.finish->meta);
  };
  list(isFinish, addIdAndMeta, {no_text});
  if (with_summaries) {
    // A finish without one has no branch, so its row keeps what it has.
    const auto addIdAndSummary = [&](const RunBatchRow& row) {
      addId(row);
      values.emplace_back(*row.summary);
    };
    list(hasSummary, addIdAndSummary, {no_text});
  }
  if (alike) {
    values.emplace_back(alike->token_less_ids);
  } else {
    list(isStart, addIdAndToken, {no_number});
  }
  appendIds(connection.flavour(), rows, 2 * room, values);
  values.emplace_back(exec_id);
  list(isFinish, addToken, {});
  if (alike) {
    values.emplace_back(alike->task_key);
    values.emplace_back(alike->step);
    values.emplace_back(alike->id_less_ordinal);
    list(isStart, addId, {});
  } else {
    const auto addIdAndGuard = [&](const RunBatchRow& row) {
      const auto& as_read = row.start->as_read;
      addId(row);
      values.emplace_back(proto::taskKeyOf(as_read.task_id));
      values.emplace_back(std::int64_t{as_read.step.value()});
      values.emplace_back(std::int64_t{as_read.ordinal});
    };
    list(isStart, addIdAndGuard, {no_text, no_number, no_number});
  }
  const bool keeps_plan = connection.flavour() == sqlclient::Flavour::kTiDb &&
                          std::none_of(rows.begin(), rows.end(), [&](const RunBatchRow& row) {
                            return hasSummary(row) && row.summary->size() > kSentWithin;
                          });
  const auto starts = alike ? sql::Starts::kAlike : sql::Starts::kEach;
  return updateMany(connection, kRunBatchName, mergedText(keeps_plan, room, with_summaries, starts), values);
}

}  // namespace disttask::storage::mysql
