#include "import_step.hpp"

#include "disttask/base/random.hpp"

namespace disttask::csv_import {
namespace {

// What a run repeats by itself before it gives the chunk back to the framework's own, slower, retries.
constexpr int kMaxConflicts = 8;
constexpr int kMaxReconnects = 2;
constexpr std::int64_t kConflictWaitMs = 50;
constexpr std::int64_t kReconnectWaitMs = 200;

}  // namespace

ImportStep::ImportStep(
    ImportOptions options, PluginConfig config, std::shared_ptr<Sessions> sessions, std::int64_t task
)
    : options_(std::move(options)), config_(std::move(config)), sessions_(std::move(sessions)), task_(task) {}

const ImportStep::Prepared& ImportStep::prepare(const TaskSession& session, const ChunkMeta& chunk) {
  const std::lock_guard lock(mutex_);
  if (!prepared_) {
    TargetTable target = describeTarget(session.connection(), options_.schema, options_.table, chunk.columns);
    prepared_ = Prepared{std::move(target), session.note(task_).root};
  }
  return *prepared_;
}

ChunkResult ImportStep::runOnce(sdk::Run& run, const SourceFile& file, const ChunkMeta& chunk, std::int32_t ordinal) {
  const auto check = [&] { run.throwIfCancelled(); };
  ChunkPace::Turn turn(pace_, check);
  const TaskSession session(run, *sessions_, options_, Purpose::kImport);
  try {
    const Prepared& prepared = prepare(session, chunk);
    const ImportJob job{options_, prepared.target, session.ledger(), prepared.root, config_.rejects_dir, &loads_};
    ChunkResult result = importChunk(session.connection(), file, chunk, ordinal, job, check);
    // Only what is committed counts: counters cannot be taken back.
    run.addProgress(static_cast<std::int64_t>(result.written), static_cast<std::int64_t>(chunk.bytes));
    turn.setBytes(chunk.bytes);
    return result;
  } catch (...) {
    try {
      throw;
    } catch (const FileMissing&) {
      throw;  // for another node
    } catch (const Exception& exception) {
      if (exception.error().reaction() != Reaction::kGiveUp) throw;
      const std::string remaining = remainingText(session, task_);
      if (remaining.empty()) throw;
      throw Exception(
          Error(exception.error().code(), Reaction::kGiveUp, exception.error().message() + " (" + remaining + ")")
      );
    }
  }
}

ChunkResult ImportStep::runChunk(sdk::Run& run, const ChunkMeta& chunk, std::int32_t ordinal) {
  const SourceFile file(options_.file, config_.allowed_dirs);
  int conflicts = 0;
  int reconnects = 0;
  for (;;) {
    std::int64_t wait = 0;
    try {
      return runOnce(run, file, chunk, ordinal);
    } catch (const Exception& exception) {
      // A commit with unknown outcome comes here too: the ledger row decides in the next round.
      const ErrorCode code = exception.error().code();
      if (code == ErrorCode::kStoreConflict && ++conflicts <= kMaxConflicts) {
        wait = kConflictWaitMs * conflicts;
      } else if (code == ErrorCode::kStoreUnavailable && ++reconnects <= kMaxReconnects) {
        wait = kReconnectWaitMs * reconnects;
      } else {
        throw;
      }
    }
    run.sleep(1 + static_cast<std::int64_t>(randomBelow(static_cast<std::uint64_t>(wait))));
  }
}

std::string ImportStep::runSubtask(sdk::Run& run, const sdk::Subtask& subtask) {
  return translated([&] { return runChunk(run, ChunkMeta::parse(subtask.meta), subtask.ordinal).dump(); });
}

void ImportStep::cleanup(const sdk::Host&) {
  sessions_->closeIdle(options_.connection);
}

}  // namespace disttask::csv_import
