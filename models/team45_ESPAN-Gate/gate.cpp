// The gate on a CPU, in float32, on as many threads as torch computes with.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <cmath>

namespace {

at::Tensor gate(const at::Tensor& features, const at::Tensor& x) {
  TORCH_CHECK(features.scalar_type() == at::kFloat && x.scalar_type() == at::kFloat, "float32 alone");
  TORCH_CHECK(features.sizes() == x.sizes() && features.is_contiguous() && x.is_contiguous(), "one layout");
  at::Tensor out = at::empty_like(features);
  const float* f = features.const_data_ptr<float>();
  const float* s = x.const_data_ptr<float>();
  float* y = out.mutable_data_ptr<float>();
  at::parallel_for(0, features.numel(), 1 << 15, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      y[i] = (f[i] + s[i]) * (1.0f / (1.0f + std::exp(-f[i])) - 0.5f);
    }
  });
  return out;
}

}  // namespace

TORCH_LIBRARY(espan_gate, library) { library.def("gate(Tensor features, Tensor x) -> Tensor"); }

TORCH_LIBRARY_IMPL(espan_gate, CPU, library) { library.impl("gate", gate); }
