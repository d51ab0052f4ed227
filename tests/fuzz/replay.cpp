// Stands in for libFuzzer in a plain build: hands each file of the corpus to the target, whole and cut short.
//   fuzz_NAME FILE|FOLDER…
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kCuts = 32;

void replay(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  std::vector<std::size_t> lengths{bytes.size()};
  for (std::size_t cut = 0; cut < kCuts; ++cut) lengths.push_back(bytes.size() * cut / kCuts);
  for (const auto length : lengths) {
    // A block of its own of exactly this length, so that a sanitizer sees a read beyond it.
    const std::vector<std::uint8_t> input(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    std::cerr << file.string() << ", " << length << " bytes\n";  // last before it ends badly
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  for (const auto& argument : arguments) {
    if (std::filesystem::is_directory(argument)) {
      for (const auto& entry : std::filesystem::directory_iterator(argument)) files.push_back(entry.path());
    } else {
      files.emplace_back(argument);
    }
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) replay(file);
  if (files.empty()) {
    std::cerr << "expected files of a corpus, found none\n";
    return 1;
  }
  std::cout << files.size() << " files\n";
  return 0;
}
