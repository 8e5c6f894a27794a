// The gate on a GPU, in float32, on the current stream: one thread for each value.
#include <ATen/ATen.h>
#include <ATen/cuda/CUDAContext.h>
#include <torch/library.h>

namespace {

__global__ void gate_kernel(const float* f, const float* s, float* y, int64_t count) {
  const int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x;
  if (i < count) {
    y[i] = (f[i] + s[i]) * (1.0f / (1.0f + expf(-f[i])) - 0.5f);
  }
}

at::Tensor gate(const at::Tensor& features, const at::Tensor& x) {
  TORCH_CHECK(features.scalar_type() == at::kFloat && x.scalar_type() == at::kFloat, "float32 alone");
  TORCH_CHECK(features.sizes() == x.sizes() && features.is_contiguous() && x.is_contiguous(), "one layout");
  at::Tensor out = at::empty_like(features);
  const int64_t count = features.numel();
  const int threads = 256;
  gate_kernel<<<(count + threads - 1) / threads, threads, 0, at::cuda::getCurrentCUDAStream()>>>(
      features.const_data_ptr<float>(), x.const_data_ptr<float>(), out.mutable_data_ptr<float>(), count);
  return out;
}

}  // namespace

TORCH_LIBRARY_IMPL(espan_gate, CUDA, library) { library.impl("gate", gate); }
