#include "elf_check.hpp"

#include "disttask/base/sandbox.hpp"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <system_error>
#include <vector>

namespace disttask::plugin {
namespace {

using Header = ElfW(Ehdr);
using Segment = ElfW(Phdr);

constexpr std::size_t kMaxSegments = 1024;

#if defined(__x86_64__)
constexpr unsigned kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kMachine = EM_AARCH64;
#else
constexpr unsigned kMachine = EM_NONE;  // the system's loader tells
#endif
constexpr unsigned char kClass = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;

std::string lacks(std::uint64_t size, const std::string& what) {
  return "the file has " + std::to_string(size) + " bytes, " + what + ": it was copied in part, or is damaged";
}

std::optional<std::string> checkHeader(const Header& header) {
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return "it does not begin as an ELF file; a shared object is needed";
  if (header.e_ident[EI_CLASS] != kClass) {
    return "its ELF class is " + std::to_string(header.e_ident[EI_CLASS]) + ", " + std::to_string(kClass) +
           " is needed: it was built for another word size";
  }
  if (kMachine != EM_NONE && header.e_machine != kMachine) {
    return "its ELF machine is " + std::to_string(header.e_machine) + ", " + std::to_string(kMachine) +
           " is needed: it was built for another processor";
  }
  if (header.e_type != ET_DYN) {
    return "its ELF type is " + std::to_string(header.e_type) + ", " + std::to_string(ET_DYN) +
           " (a shared object) is needed";
  }
  if (header.e_phentsize != sizeof(Segment) || header.e_phnum == 0 || header.e_phnum > kMaxSegments) {
    return "its ELF header names " + std::to_string(header.e_phnum) + " segments of " +
           std::to_string(header.e_phentsize) + " bytes, 1 to " + std::to_string(kMaxSegments) + " of " +
           std::to_string(sizeof(Segment)) + " are needed";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> checkElf(std::uint64_t size, const ReadAt& read) {
  Header header{};
  if (size < sizeof header || !read(0, &header, sizeof header)) {
    return lacks(size, "at least " + std::to_string(sizeof header) + " are needed");
  }
  if (auto bad = checkHeader(header)) return bad;
  std::vector<Segment> segments(header.e_phnum);
  const std::size_t table = segments.size() * sizeof(Segment);
  const std::uint64_t begin = header.e_phoff;
  if (begin > size || size - begin < table || !read(begin, segments.data(), table)) {
    return lacks(size, "its table of segments does not lie within");
  }
  for (const auto& segment : segments) {
    if (segment.p_type != PT_LOAD && segment.p_type != PT_DYNAMIC) continue;
    if (segment.p_offset > size || size - segment.p_offset < segment.p_filesz) {
      return lacks(
          size,
          "a segment of " + std::to_string(segment.p_filesz) + " at byte " + std::to_string(segment.p_offset) +
              " is needed"
      );
    }
  }
  return std::nullopt;
}

std::optional<std::string> checkElfFile(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    const int reason = errno;  // the hint opens a file
    return std::generic_category().message(reason) + sandboxHint(path);
  }
  struct stat status {};
  std::optional<std::string> bad;
  if (::fstat(file, &status) != 0) {
    bad = std::generic_category().message(errno);
  } else {
    bad =
        checkElf(static_cast<std::uint64_t>(status.st_size), [file](std::uint64_t offset, void* to, std::size_t size) {
          return ::pread(file, to, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
        });
  }
  ::close(file);
  return bad;
}

}  // namespace disttask::plugin
