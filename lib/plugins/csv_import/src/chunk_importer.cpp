#include "chunk_importer.hpp"

#include "disttask/base/failpoint.hpp"
#include "json_fields.hpp"
#include "range_hash.hpp"
#include "record_reader.hpp"
#include "rejects_file.hpp"
#include "row_converter.hpp"
#include "row_writer.hpp"
#include "table_gate.hpp"

#include <algorithm>
#include <memory>
#include <optional>

namespace disttask::csv_import {
namespace {

/// Thrown when somebody else put the chunk in since it was looked for.
struct Taken {};

class ChunkRun {
 public:
  ChunkRun(
      sqlclient::Connection& connection,
      const SourceFile& file,
      const ChunkMeta& chunk,
      std::int32_t ordinal,
      const ImportJob& job,
      const std::function<void()>& check,
      bool load
  )
      : connection_(connection),
        file_(file),
        chunk_(chunk),
        ordinal_(ordinal),
        job_(job),
        check_(check),
        rejects_(job.rejects_dir, file, job.ledger.storeId(), job.task, ordinal),
        converter_(job.options, job.target.columns),
        load_(load),
        sink_(load ? makeLoader() : makeWriter()) {}

  ChunkResult run() {
    file_.expect(chunk_.file);
    try {
      if (load_) {
        // Its transaction begins when the rows are at hand: so it is short.
        if (job_.ledger.read(connection_, job_.task, kStepImport, ordinal_)) throw Taken{};
      } else {
        begin();
      }
      readRecords();
      sink_->flush();
      if (!transaction_) begin();
    } catch (const Taken&) {
      return doneBefore();
    }
    LedgerRow row;
    row.records = num_records_;
    row.rows = sink_->numWritten();
    row.bad = num_bad_;
    row.bytes = chunk_.bytes;
    row.hash = chunk_.hash;
    row.row_sum = sink_->sum();
    if (num_bad_ > 0) checkBadOfAll();
    job_.ledger.finish(connection_, job_.task, kStepImport, ordinal_, row);
    rejects_.publish();
    check_();
    DISTTASK_FAILPOINT("csv_import.before_commit");
    transaction_->commit();
    return result(row, false);
  }

 private:
  std::unique_ptr<RowSink> makeWriter() {
    return std::make_unique<RowWriter>(
        connection_,
        job_.target,
        job_.options.on_duplicate,
        job_.options.max_bad_records > 0,
        [this](const RowSource& source, const std::string& reason) { reject(source, reason); }
    );
  }

  std::unique_ptr<RowSink> makeLoader() {
    return std::make_unique<RowLoader>(
        connection_,
        job_.target,
        chunk_.bytes,
        [this](const std::function<void()>& send) {
          std::optional<TableGate> gate;
          if (!transaction_) gate.emplace(connection_, job_.target, check_);
          if (!transaction_) begin();
          send();
        },
        check_
    );
  }

  // The chunk's row comes first: whoever has it may write.
  void begin() {
    transaction_.emplace(connection_);
    if (!job_.ledger.take(connection_, job_.task, kStepImport, ordinal_)) throw Taken{};
    DISTTASK_FAILPOINT("csv_import.chunk_taken");
  }

  ChunkResult result(const LedgerRow& row, bool done_before) const {
    // What the planner counted stands here, not what the ledger says: the verification holds one against the other.
    ChunkResult result;
    result.records = chunk_.records;
    result.bytes = chunk_.bytes;
    result.hash = chunk_.hash;
    result.written = row.rows;
    result.bad = row.bad;
    result.row_sum = row.row_sum.toString();
    result.done_before = done_before;
    result.loaded = load_ && !done_before;
    result.rejects = rejects_.path();
    return result;
  }

  ChunkResult doneBefore() {
    const auto row = job_.ledger.read(connection_, job_.task, kStepImport, ordinal_);
    if (!row) {
      // Its transaction was rolled back between our insert and our look.
      throw Exception(ErrorCode::kStoreConflict, "the ledger row of chunk " + std::to_string(ordinal_) + " went away");
    }
    if (row->hash != chunk_.hash || row->bytes != chunk_.bytes) {
      fail(
          "chunk " + std::to_string(ordinal_) + " of task " + std::to_string(job_.task) +
          " was imported from other bytes: hash " + toHex(row->hash) + " of " + std::to_string(row->bytes) +
          " bytes in the ledger, " + toHex(chunk_.hash) + " of " + std::to_string(chunk_.bytes) + " planned"
      );
    }
    return result(*row, true);
  }

  void readRecords() {
    std::string buffer;
    RangeHash hash;
    const std::uint64_t end = chunk_.start.offset + chunk_.bytes;
    std::uint64_t offset = chunk_.start.offset;
    // Whatever is found wrong in a range whose bytes are not the planned ones says nothing about the planned ones.
    try {
      RecordReader reader({job_.options.delimiter, job_.options.quote}, chunk_.start, [this](const Record& record) {
        take(record);
      });
      while (offset < end) {
        check_();
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kBlockBytes, end - offset));
        const std::string_view block = file_.read(buffer, offset, size);
        if (block.empty()) break;
        hash.update(block);
        offset += block.size();
        reader.feed(block);
      }
      reader.finish();
    } catch (const Exception& exception) {
      // Only what is said about content: for anything else the rest need not be read, while locks are held.
      const Error& error = exception.error();
      if (error.code() == ErrorCode::kInvalidArgument || isRefusal(error)) {
        expectUnchanged(hash, offset, end, buffer);
      }
      throw;
    }
    expectUnchanged(hash, offset, end, buffer);
    if (num_records_ != chunk_.records) {
      throw Exception(
          ErrorCode::kInternal,
          "chunk " + std::to_string(ordinal_) + " holds " + std::to_string(num_records_) + " records, planned were " +
              std::to_string(chunk_.records)
      );
    }
  }

  void expectUnchanged(RangeHash hash, std::uint64_t offset, std::uint64_t end, std::string& buffer) const {
    while (offset < end) {
      check_();
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kBlockBytes, end - offset));
      const std::string_view block = file_.read(buffer, offset, size);
      if (block.empty()) break;
      hash.update(block);
      offset += block.size();
    }
    if (offset == end && hash.value() == chunk_.hash) return;
    fail(
        "file '" + file_.path() + "' has changed since planning: bytes " + std::to_string(chunk_.start.offset) +
        " to " + std::to_string(end) + " are others"
    );
  }

  void take(const Record& record) {
    ++num_records_;
    RowSource source{record.place, record.end, 0};
    if (auto problem = converter_.convert(record, sink_->next(), source.hash)) {
      reject(source, *problem);
    } else {
      sink_->push(source, record.end - record.place.offset);
    }
  }

  void reject(const RowSource& source, const std::string& reason) {
    ++num_bad_;
    const auto limit = static_cast<std::uint64_t>(job_.options.max_bad_records);
    if (num_bad_ > limit) {
      std::string sentence = toString(source.place) + ": " + reason;
      if (limit > 0)
        sentence += " (bad record " + std::to_string(num_bad_) + ", max_bad_records is " + std::to_string(limit) + ")";
      fail(sentence);
    }
    rejects_.add(source, reason);
  }

  // Other chunks have bad records too; what runs now beside this one is counted by the verification.
  void checkBadOfAll() const {
    const LedgerSums sums = job_.ledger.sums(connection_, job_.task, kStepImport);
    const std::uint64_t all = sums.total.bad + num_bad_;
    if (all > static_cast<std::uint64_t>(job_.options.max_bad_records)) {
      fail(
          std::to_string(all) + " bad records so far in all chunks, max_bad_records is " +
          std::to_string(job_.options.max_bad_records)
      );
    }
  }

  sqlclient::Connection& connection_;
  const SourceFile& file_;
  const ChunkMeta& chunk_;
  const std::int32_t ordinal_;
  const ImportJob& job_;
  const std::function<void()>& check_;
  RejectsFile rejects_;
  RowConverter converter_;
  const bool load_;
  std::unique_ptr<RowSink> sink_;
  std::optional<sqlclient::Transaction> transaction_;
  std::uint64_t num_records_ = 0;
  std::uint64_t num_bad_ = 0;
};

}  // namespace

ChunkResult importChunk(
    sqlclient::Connection& connection,
    const SourceFile& file,
    const ChunkMeta& chunk,
    std::int32_t ordinal,
    const ImportJob& job,
    const std::function<void()>& check
) {
  try {
    const bool load = job.loads != nullptr && job.loads->isGiven() && job.options.on_duplicate == OnDuplicate::kError &&
                      tableTakesLoads(job.target) && serverTakesLoads(connection);
    if (load) {
      try {
        return ChunkRun(connection, file, chunk, ordinal, job, check, true).run();
      } catch (const LoadRefused& refused) {
        job.loads->note(refused);  // and the inserts find out what is wrong, and where
      }
    }
    return ChunkRun(connection, file, chunk, ordinal, job, check, false).run();
  } catch (const Exception& exception) {
    const Error& error = exception.error();
    if (error.storeNumber() != kTransactionTooLarge) throw;
    throw Exception(Error(
        error.code(),
        error.reaction(),
        error.message() + "; a chunk is one transaction: import with chunk_bytes lower than " +
            std::to_string(job.options.chunk_bytes)
    ));
  }
}

}  // namespace disttask::csv_import
