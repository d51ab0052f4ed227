// What a plugin is and hands over, from bytes: its file (e), its descriptor (d), a task type (t), the table of a step
// (s), or all of it in one plugin that the loader takes (p). Each struct lies in a block of exactly the bytes that its
// struct_size claims, so that a sanitizer sees a read beyond it.
#include "abi_check.hpp"
#include "disttask/plugin/plugin_loader.hpp"
#include "disttask_plugin.h"
#include "elf_check.hpp"
#include "fuzz.hpp"

#include <array>
#include <cstring>
#include <memory>
#include <vector>

using namespace disttask;

namespace {

// Takes bytes from the front of the input; zeros when it has no more.
class Source {
 public:
  Source(const std::uint8_t* data, std::size_t size) : at_(data), left_(size) {}
  void take(void* to, std::size_t size) {
    std::memset(to, 0, size);
    const auto some = std::min(size, left_);
    if (some != 0) std::memcpy(to, at_, some);
    at_ += some;
    left_ -= some;
  }
  template <typename Number>
  Number number() {
    Number value{};
    take(&value, sizeof value);
    return value;
  }
  std::string text() {
    std::string value(std::min<std::size_t>(number<std::uint8_t>(), left_), '\0');
    take(value.data(), value.size());
    return value;
  }
  [[nodiscard]] std::size_t left() const { return left_; }

 private:
  const std::uint8_t* at_;
  std::size_t left_;
};

// A block with as many bytes as the first four claim, at most what there is.
template <typename Struct>
class Block {
 public:
  explicit Block(Source& from) {
    const auto available = std::min<std::size_t>(from.left(), sizeof(Struct) + 8);
    if (available < sizeof(std::uint32_t)) return;
    bytes_.resize(available);
    from.take(bytes_.data(), available);
    std::uint32_t claimed = 0;
    std::memcpy(&claimed, bytes_.data(), sizeof claimed);
    if (claimed < sizeof claimed) claimed = sizeof claimed;
    if (claimed > available) {
      claimed = static_cast<std::uint32_t>(available);
    }
    std::memcpy(bytes_.data(), &claimed, sizeof claimed);
    block_ = std::make_unique<std::uint8_t[]>(claimed);  // NOLINT: a block of this length and no other
    std::memcpy(block_.get(), bytes_.data(), claimed);
    size_ = claimed;
  }
  [[nodiscard]] const Struct* get() const {
    return reinterpret_cast<const Struct*>(block_.get());  // NOLINT: what a plugin returns
  }
  [[nodiscard]] bool whole() const { return size_ >= sizeof(Struct); }
  void put(std::size_t offset, const void* from, std::size_t size) {
    if (offset + size <= size_) std::memcpy(block_.get() + offset, from, size);
  }

 private:
  std::vector<std::uint8_t> bytes_;
  std::unique_ptr<std::uint8_t[]> block_;  // NOLINT
  std::size_t size_ = 0;
};

void checked(const std::optional<std::string>& refusal, bool whole) {
  if (refusal) {
    fuzz::expectSentence(*refusal);
  } else {
    fuzz::expect(whole, "what is accepted is whole");
  }
}

// The plugin that target p describes. Its functions have no context of their own, as those of a real one.
struct Made {
  std::uint32_t count = 0;
  std::vector<disttask_task_type> types;
  std::vector<std::string> texts;
  disttask_status init_status = DISTTASK_OK;
  std::string init_text;
  disttask_status configure_status = DISTTASK_OK;
};
Made made;

void writeTo(disttask_sink sink, const std::string& text) {
  if (!text.empty()) sink.write(sink.ctx, text.data(), text.size());
}

disttask_plugin makePlugin(Source& from) {
  made = {};
  made.count = from.number<std::uint16_t>();
  made.init_status = from.number<std::int8_t>();
  made.configure_status = from.number<std::int8_t>();
  made.init_text = from.text();
  const auto shape = from.number<std::uint8_t>();
  made.texts.reserve(8);
  const auto text = [&] {
    made.texts.push_back(from.text());
    return disttask_str{made.texts.back().data(), made.texts.back().size()};
  };
  disttask_plugin plugin{};
  plugin.struct_size = sizeof plugin;
  plugin.magic = DISTTASK_PLUGIN_MAGIC;
  plugin.abi_major = DISTTASK_ABI_MAJOR;
  plugin.abi_minor = DISTTASK_ABI_MINOR;
  plugin.name = text();
  plugin.version = text();
  plugin.build = {nullptr, from.number<std::uint8_t>()};
  if ((shape & 1U) == 0) {
    plugin.init = [](const disttask_host*, disttask_sink error) {
      writeTo(error, made.init_text);
      return made.init_status;
    };
  }
  if ((shape & 2U) == 0) plugin.task_type_count = [] { return made.count; };
  if ((shape & 4U) == 0) {
    plugin.task_type_at = [](std::uint32_t index) -> const disttask_task_type* {
      return index < made.types.size() ? &made.types[index] : nullptr;
    };
  }
  for (int i = 0; i < 2; ++i) {
    disttask_task_type type{};
    type.struct_size = sizeof type;
    type.retry_limit = from.number<std::int8_t>();
    type.backoff_base_ms = from.number<std::int64_t>();
    type.backoff_cap_ms = from.number<std::int64_t>();
    type.parallel_subtasks = from.number<std::int32_t>();
    type.max_parallel_subtasks = from.number<std::int32_t>();
    type.name = text();
    type.version = text();
    type.configure = [](const disttask_task_type*, const disttask_host*, disttask_str, disttask_sink) {
      return made.configure_status;
    };
    type.next_step = [](const disttask_task_type*,
                        const disttask_host*,
                        const disttask_task*,
                        std::int32_t,
                        std::int32_t*,
                        disttask_sink) -> disttask_status { return DISTTASK_FAILED; };
    type.plan = [](const disttask_task_type*,
                   const disttask_planning*,
                   const disttask_task*,
                   std::int32_t,
                   disttask_str,
                   disttask_sink,
                   std::int32_t*,
                   disttask_sink) -> disttask_status { return DISTTASK_FAILED; };
    type.create_step = [](const disttask_task_type*,
                          const disttask_host*,
                          const disttask_task*,
                          std::int32_t,
                          const disttask_resource*,
                          disttask_step**,
                          disttask_sink) -> disttask_status { return DISTTASK_FAILED; };
    type.is_idempotent = [](const disttask_task_type*, const disttask_subtask*) { return std::int32_t{1}; };
    made.types.push_back(type);
  }
  return plugin;
}

void adopt(Source& from) {
  const auto plugin = makePlugin(from);
  plugin::NoConnections connections;
  plugin::TaskTypes types;
  plugin::PluginLoader loader({}, types, connections, runtime::systemClock());
  const auto loaded = loader.adopt(&plugin, "/plugins/made.so");
  if (!loaded) {
    fuzz::expectSentence(loaded.error().message());
    fuzz::expect(types.all().empty(), "a refused plugin adds no type");
    return;
  }
  fuzz::expect(types.all().size() == made.count, "an accepted plugin adds its types");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Source from(data + 1, size - 1);
  if (data[0] == 'd') {
    const Block<disttask_plugin> block(from);
    if (block.get() != nullptr) checked(plugin::checkDescriptor(block.get()), block.whole());
  } else if (data[0] == 't') {
    const auto name = from.text();
    Block<disttask_task_type> block(from);
    const disttask_str text{name.data(), name.size()};
    block.put(offsetof(disttask_task_type, name), &text, sizeof text);
    if (block.get() != nullptr) checked(plugin::checkTaskType(block.get()), block.whole());
  } else if (data[0] == 's') {
    const Block<disttask_step_vtbl> block(from);
    const disttask_step step{block.get(), nullptr};
    checked(plugin::checkStep(&step), block.whole());
  } else if (data[0] == 'e') {
    const auto refusal = plugin::checkElf(size - 1, [&](std::uint64_t offset, void* to, std::size_t length) {
      fuzz::expect(offset + length <= size - 1, "nothing is read beyond the end of a file");
      std::memcpy(to, data + 1 + offset, length);
      return true;
    });
    if (refusal) fuzz::expectSentence(*refusal);
  } else {
    adopt(from);
  }
  return 0;
}
