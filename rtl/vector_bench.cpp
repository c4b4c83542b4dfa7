// Runs vectors through a verilated component and counts the toggles of its nets.  Started by
// rtl/vector_bench.py, which defines CLOCKED, RESETTABLE, STIMULUS_WORDS, RESPONSE_WORDS and NETS.
//
// Arguments: cycles, reset cycles, stimulus file, response file, file for the toggle counts.
// Files: little-endian 64-bit words; STIMULUS_WORDS and RESPONSE_WORDS of them per cycle, and
// NETS counts.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "Vdovetail_bench.h"
#include "Vdovetail_bench___024root.h"
#include "verilated.h"

double sc_time_stamp() { return 0; }

namespace {

// Where the nets are in the model: a byte each, all but without gaps.
#define NET(name) offsetof(Vdovetail_bench___024root, dovetail_bench__DOT__dut__DOT__##name),
constexpr size_t OFFSETS[] = {
#include "nets.inc"
    0};

// Counts in bytes, eight nets at once, what changes between two looks at the model.
class Toggles {
 public:
  explicit Toggles(const Vdovetail_bench___024root* model) {
    const auto [low, high] = std::minmax_element(OFFSETS, OFFSETS + NETS);
    first_ = NETS ? *low : 0;
    nets_ = reinterpret_cast<const char*>(model) + first_;
    words_ = NETS ? (*high - *low) / 8 + 1 : 0;
    last_.resize(words_);
    counts_.resize(words_);
    totals_.resize(NETS);
  }

  void start() { memcpy(last_.data(), nets_, 8 * words_); }

  void add() {
    for (size_t index = 0; index < words_; ++index) {
      uint64_t now;
      memcpy(&now, nets_ + 8 * index, 8);
      counts_[index] += (now ^ last_[index]) & 0x0101010101010101;
      last_[index] = now;
    }
    if (++added_ == 255) flush();
  }

  const std::vector<uint64_t>& totals() {
    flush();
    return totals_;
  }

 private:
  void flush() {
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(counts_.data());
    for (size_t net = 0; net < NETS; ++net) totals_[net] += bytes[OFFSETS[net] - first_];
    std::fill(counts_.begin(), counts_.end(), 0);
    added_ = 0;
  }

  size_t first_;
  const char* nets_;
  size_t words_;
  std::vector<uint64_t> last_, counts_, totals_;
  int added_ = 0;
};

class Bench {
 public:
  Bench() {
    // Registers without reset start from random bits, the same ones in every run.
    context_.randReset(2);
    context_.randSeed(1);
    top_ = new Vdovetail_bench(&context_, "");
    toggles_ = std::make_unique<Toggles>(top_->rootp);
    top_->clk = top_->load = 0;
    top_->eval();
  }

  // One cycle: the edge that ends the cycle before, and then its settled logic.
  void cycle(const uint64_t* stimulus, bool reset) {
    memcpy(&top_->stimulus[0], stimulus, 8 * STIMULUS_WORDS);
    top_->reset = reset;
    top_->load = 1;
    top_->clk = CLOCKED && !first_;
    top_->eval();
    // Both halves of a cycle, for the sake of nets that follow the clock or pass latches.
    if (CLOCKED && counting_) toggles_->add();
    top_->load = top_->clk = 0;
    top_->eval();
    first_ = false;
  }

  void count() {
    if (counting_) {
      toggles_->add();
    } else {
      toggles_->start();
    }
    counting_ = true;
  }

  const uint64_t* response() const { return &top_->response[0]; }
  const std::vector<uint64_t>& totals() { return toggles_->totals(); }

 private:
  VerilatedContext context_;
  Vdovetail_bench* top_;
  std::unique_ptr<Toggles> toggles_;
  bool first_ = true;
  bool counting_ = false;
};

FILE* open(const char* path, const char* mode) {
  FILE* file = fopen(path, mode);
  if (!file) {
    fprintf(stderr, "cannot open %s\n", path);
    exit(3);
  }
  setvbuf(file, nullptr, _IOFBF, 1 << 20);
  return file;
}

void write(FILE* file, const uint64_t* words, size_t count) {
  if (fwrite(words, 8, count, file) != count) {
    fprintf(stderr, "cannot write the results; is the disk full?\n");
    exit(3);
  }
}

void close(FILE* file) {
  if (fclose(file)) {
    fprintf(stderr, "cannot write the results; is the disk full?\n");
    exit(3);
  }
}

}  // namespace

int main(int, char** argv) {
  const uint64_t cycles = strtoull(argv[1], nullptr, 10);
  const uint64_t reset_cycles = strtoull(argv[2], nullptr, 10);
  FILE* stimuli = open(argv[3], "rb");
  FILE* responses = open(argv[4], "wb");
  Bench* bench = new Bench;
  std::vector<uint64_t> stimulus(STIMULUS_WORDS);
  if (RESETTABLE) {
    for (uint64_t cycle = 0; cycle < reset_cycles; ++cycle) bench->cycle(stimulus.data(), true);
  }
  for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
    if (fread(stimulus.data(), 8, STIMULUS_WORDS, stimuli) != STIMULUS_WORDS) {
      fprintf(stderr, "the stimulus file is truncated\n");
      return 3;
    }
    bench->cycle(stimulus.data(), false);
    bench->count();
    write(responses, bench->response(), RESPONSE_WORDS);
  }
  close(responses);
  FILE* totals = open(argv[5], "wb");
  write(totals, bench->totals().data(), NETS);
  close(totals);
  return 0;
}
