// What lies between the classes of disttask_plugin.hpp and the C ABI: calls of the host into the plugin. Included by
// it, not meant to be read by plugin authors. Every function is noexcept: it catches whatever the plugin's code throws,
// here on the plugin's own side.
#pragma once
#include "disttask_plugin.hpp"
#include "disttask_plugin_abi.hpp"

#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace disttask::sdk {

// Hidden, so that two plugins in one process never share what stands here, whatever flags they were built with.
#pragma GCC visibility push(hidden)
namespace detail {

/// Runs `body`; turns what it throws into a status and a text.
template <typename Body>
disttask_status guard(disttask_sink error, Body&& body) noexcept {
  try {
    body();
    return DISTTASK_OK;
  } catch (const Cancelled& e) {
    return write(error, e.what()), DISTTASK_CANCELLED;
  } catch (const RetryLater& e) {
    return write(error, e.what()), DISTTASK_RETRY;
  } catch (const HandBack& e) {
    return write(error, e.what()), DISTTASK_HAND_BACK;
  } catch (const std::exception& e) {
    return write(error, e.what()), DISTTASK_FAILED;
  } catch (...) {
    return write(error, "an exception that is not a std::exception"), DISTTASK_FAILED;
  }
}

inline Task taskOf(const disttask_task& task) noexcept {
  return {task.id, task.slots, fromAbi(task.key), fromAbi(task.type), fromAbi(task.meta)};
}
inline Subtask subtaskOf(const disttask_subtask& subtask) noexcept {
  return {subtask.id, subtask.task_id, subtask.step, subtask.ordinal, fromAbi(subtask.meta)};
}
inline Resource resourceOf(const disttask_resource& resource) noexcept {
  return {resource.slots, resource.parallel_subtasks, resource.memory_bytes};
}

/// A Step behind its C vtable.
struct StepShim {
  disttask_step abi{};
  std::unique_ptr<Step> step;

  static Step& of(disttask_step* abi) noexcept { return *static_cast<StepShim*>(abi->impl)->step; }

  static disttask_status init(disttask_step* step, const disttask_host* host, disttask_sink error) noexcept {
    return guard(error, [&] { of(step).init(Host(host)); });
  }
  static disttask_status runSubtask(
      disttask_step* step,
      const disttask_run* abi_run,
      const disttask_subtask* subtask,
      disttask_sink result,
      disttask_sink error
  ) noexcept {
    return guard(error, [&] {
      Run run(abi_run);
      write(result, of(step).runSubtask(run, subtaskOf(*subtask)));
    });
  }
  static disttask_status onFinished(
      disttask_step* step,
      const disttask_run* abi_run,
      const disttask_subtask* subtask,
      disttask_sink result,
      disttask_sink error
  ) noexcept {
    return guard(error, [&] {
      Run run(abi_run);
      write(result, of(step).onFinished(run, subtaskOf(*subtask)));
    });
  }
  static std::int32_t realtimeSummary(
      disttask_step* step, const disttask_subtask* subtask, disttask_summary* summary
  ) noexcept {
    try {
      Summary own{summary->row_count, summary->bytes, summary->read_bytes};
      if (!of(step).realtimeSummary(subtaskOf(*subtask), own)) return 0;
      summary->row_count = own.rows;
      summary->bytes = own.bytes;
      summary->read_bytes = own.read_bytes;
      return 1;
    } catch (...) {
      return 0;  // the counters of addProgress stay
    }
  }
  static disttask_status taskMetaModified(
      disttask_step* step, const disttask_host* host, disttask_str meta, disttask_sink error
  ) noexcept {
    return guard(error, [&] { of(step).taskMetaModified(Host(host), fromAbi(meta)); });
  }
  static disttask_status resourceModified(
      disttask_step* step, const disttask_host* host, const disttask_resource* resource, disttask_sink error
  ) noexcept {
    return guard(error, [&] { of(step).resourceModified(Host(host), resourceOf(*resource)); });
  }
  static disttask_status cleanup(disttask_step* step, const disttask_host* host, disttask_sink error) noexcept {
    return guard(error, [&] { of(step).cleanup(Host(host)); });
  }
  static void destroy(disttask_step* step) noexcept { delete static_cast<StepShim*>(step->impl); }

  static constexpr disttask_step_vtbl kVtbl{
      sizeof(disttask_step_vtbl),
      0,
      &init,
      &runSubtask,
      &onFinished,
      &realtimeSummary,
      &taskMetaModified,
      &resourceModified,
      &cleanup,
      &destroy,
  };
};

/// A TaskType behind its C struct; `abi.impl` points to this.
struct TypeShim {
  TypeShim(std::unique_ptr<TaskType> the_type, bool has_clean_up)
      : type(std::move(the_type)),
        cleans_up(has_clean_up),
        name(type->name()),
        version(type->version()),
        abi{
            sizeof(disttask_task_type),
            type->retryLimit(),
            type->backoffBaseMs(),
            type->backoffCapMs(),
            type->parallelSubtasks(),
            type->maxParallelSubtasks(),
            toAbi(name),
            toAbi(version),
            this,
            &configure,
            &nextStep,
            &plan,
            &createStep,
            &isIdempotent,
            &isRetryable,
            &getExtension,
        } {}
  TypeShim(const TypeShim&) = delete;
  TypeShim& operator=(const TypeShim&) = delete;

  std::unique_ptr<TaskType> type;
  bool cleans_up;
  std::string name;
  std::string version;
  disttask_task_type abi;

  static TaskType& of(const disttask_task_type* abi) noexcept { return *static_cast<TypeShim*>(abi->impl)->type; }

  static disttask_status configure(
      const disttask_task_type* type, const disttask_host* host, disttask_str config, disttask_sink error
  ) noexcept {
    return guard(error, [&] { of(type).configure(Host(host), fromAbi(config)); });
  }
  static disttask_status nextStep(
      const disttask_task_type* type,
      const disttask_host* host,
      const disttask_task* task,
      std::int32_t after,
      std::int32_t* next,
      disttask_sink error
  ) noexcept {
    return guard(error, [&] { *next = of(type).nextStep(Host(host), taskOf(*task), after); });
  }
  static disttask_status plan(
      const disttask_task_type* type,
      const disttask_planning* abi_planning,
      const disttask_task* task,
      std::int32_t step,
      disttask_str cursor,
      disttask_sink next_cursor,
      std::int32_t* complete,
      disttask_sink error
  ) noexcept {
    return guard(error, [&] {
      Planning planning(abi_planning);
      const Cursor next = of(type).plan(planning, taskOf(*task), step, fromAbi(cursor));
      write(next_cursor, next.next);
      *complete = next.complete ? 1 : 0;
    });
  }
  static disttask_status createStep(
      const disttask_task_type* type,
      const disttask_host* host,
      const disttask_task* task,
      std::int32_t step,
      const disttask_resource* resource,
      disttask_step** out,
      disttask_sink error
  ) noexcept {
    return guard(error, [&] {
      auto shim = std::make_unique<StepShim>();
      shim->step = of(type).createStep(Host(host), taskOf(*task), step, resourceOf(*resource));
      if (!shim->step) throw Failure("createStep returned no object for step " + std::to_string(step));
      shim->abi = {&StepShim::kVtbl, shim.get()};
      *out = &shim.release()->abi;
    });
  }
  static std::int32_t isIdempotent(const disttask_task_type* type, const disttask_subtask* subtask) noexcept {
    try {
      return of(type).isIdempotent(subtaskOf(*subtask)) ? 1 : 0;
    } catch (...) {
      return 0;  // the careful answer
    }
  }
  static std::int32_t isRetryable(const disttask_task_type* type, disttask_str error) noexcept {
    try {
      return of(type).isRetryable(fromAbi(error)) ? 1 : 0;
    } catch (...) {
      return 0;
    }
  }
  static disttask_status validate(const disttask_task_type* type, disttask_str meta, disttask_sink error) noexcept {
    return guard(error, [&] { of(type).validate(fromAbi(meta)); });
  }
  static disttask_status revert(
      const disttask_task_type* type, const disttask_host* host, const disttask_task* task, disttask_sink error
  ) noexcept {
    return guard(error, [&] { of(type).revert(Host(host), taskOf(*task)); });
  }
  static disttask_status cleanUp(
      const disttask_task_type* type,
      const disttask_host* host,
      const disttask_task* task,
      std::int32_t succeeded,
      disttask_sink error
  ) noexcept {
    return guard(error, [&] { of(type).cleanUp(Host(host), taskOf(*task), succeeded != 0); });
  }
  static const void* getExtension(const disttask_task_type* type, disttask_str id) noexcept {
    static constexpr disttask_ext_validate kValidate{sizeof(disttask_ext_validate), 0, &validate};
    static constexpr disttask_ext_revert kRevert{sizeof(disttask_ext_revert), 0, &revert};
    if (fromAbi(id) == DISTTASK_EXT_TYPE_VALIDATE) return &kValidate;
    static constexpr disttask_ext_cleanup kCleanUp{sizeof(disttask_ext_cleanup), 0, &cleanUp};
    if (fromAbi(id) == DISTTASK_EXT_TYPE_REVERT) return &kRevert;
    const bool cleans_up = static_cast<const TypeShim*>(type->impl)->cleans_up;
    if (fromAbi(id) == DISTTASK_EXT_TYPE_CLEANUP && cleans_up) return &kCleanUp;
    return nullptr;
  }
};

/// True if a type has a cleanUp of its own; one that cannot be named from here, being private, is one.
template <typename T>
inline constexpr bool kOverridesCleanUp = !requires {
  requires std::is_same_v<decltype(&T::cleanUp), decltype(&TaskType::cleanUp)>;
};

/// The types of one plugin; one set per list of types and binary.
template <typename... Types>
struct Plugin {
  static inline std::vector<std::unique_ptr<TypeShim>> types;

  static disttask_status init(const disttask_host*, disttask_sink error) noexcept {
    return guard(error, [] {
      if (!types.empty()) return;  // a second init keeps the objects that the host already knows
      std::vector<std::unique_ptr<TypeShim>> made;
      (made.push_back(std::make_unique<TypeShim>(std::make_unique<Types>(), kOverridesCleanUp<Types>)), ...);
      types = std::move(made);
    });
  }
  static std::uint32_t count() noexcept { return static_cast<std::uint32_t>(types.size()); }
  static const disttask_task_type* at(std::uint32_t index) noexcept {
    return index < types.size() ? &types[index]->abi : nullptr;
  }
};

#ifdef __VERSION__
inline constexpr std::string_view kBuild = "C++ " __VERSION__;
#else
inline constexpr std::string_view kBuild = "C++";
#endif

/// Returns the descriptor of a plugin with these types; `name` and `version` must live as long as the process
/// (literals do).
template <typename... Types>
const disttask_plugin* descriptor(const char* name, const char* version) noexcept {
  static_assert(sizeof...(Types) > 0, "a plugin offers at least one task type");
  static_assert((std::is_base_of_v<TaskType, Types> && ...), "each type derives from disttask::sdk::TaskType");
  static const disttask_plugin plugin{
      sizeof(disttask_plugin),
      DISTTASK_PLUGIN_MAGIC,
      DISTTASK_ABI_MAJOR,
      DISTTASK_ABI_MINOR,
      toAbi(name),
      toAbi(version),
      toAbi(kBuild),
      &Plugin<Types...>::init,
      &Plugin<Types...>::count,
      &Plugin<Types...>::at,
  };
  return &plugin;
}

}  // namespace detail
#pragma GCC visibility pop

}  // namespace disttask::sdk
