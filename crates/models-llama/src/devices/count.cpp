// Counts what ggml has in buffers on devices: it sits where they are made and freed. llama.cpp tells the same by context and
// only to C++; here it is one number for each device, whoever the buffers are for.

#include <atomic>
#include <cstddef>

#include "ggml-backend-impl.h"

namespace {

// As many devices as llama.cpp divides a model among.
constexpr int MOST = 16;

struct Counted {
	ggml_backend_buffer_type_t type = nullptr;
	decltype(ggml_backend_buffer_type_i::alloc_buffer) alloc = nullptr;
	decltype(ggml_backend_buffer_type_i::alloc_buffer_n) alloc_n = nullptr;
	void (*free)(ggml_backend_buffer_t) = nullptr;
	std::atomic<size_t> bytes{0};
};

Counted counted[MOST];
int count = 0;

Counted *of(ggml_backend_buffer_type_t type) {
	for (int index = 0; index < count; index++) {
		if (counted[index].type == type) {
			return &counted[index];
		}
	}
	return nullptr;
}

void free_counted(ggml_backend_buffer_t buffer) {
	Counted *here = of(buffer->buft);
	here->bytes -= buffer->size;
	here->free(buffer);
}

// A buffer that was made by a call of the other kind is counted already.
ggml_backend_buffer_t note(Counted *here, ggml_backend_buffer_t buffer) {
	if (buffer != nullptr && buffer->iface.free_buffer != nullptr && buffer->iface.free_buffer != free_counted &&
	    buffer->buft == here->type) {
		here->free = buffer->iface.free_buffer;
		buffer->iface.free_buffer = free_counted;
		here->bytes += buffer->size;
	}
	return buffer;
}

ggml_backend_buffer_t alloc_counted(ggml_backend_buffer_type_t type, size_t size) {
	Counted *here = of(type);
	return note(here, here->alloc(type, size));
}

ggml_backend_buffer_t alloc_n_counted(ggml_backend_buffer_type_t type, ggml_tensor **tensors, int n_tensors) {
	Counted *here = of(type);
	return note(here, here->alloc_n(type, tensors, n_tensors));
}

} // namespace

// From now on, what is made on `device` counts. Answers by which number it can be asked for, or less than zero.
extern "C" int stoa_ggml_count(ggml_backend_dev_t device) {
	ggml_backend_buffer_type_t type = ggml_backend_dev_buffer_type(device);
	if (type == nullptr || count == MOST || of(type) != nullptr) {
		return -1;
	}
	Counted &here = counted[count];
	here.type = type;
	here.alloc = type->iface.alloc_buffer;
	here.alloc_n = type->iface.alloc_buffer_n;
	type->iface.alloc_buffer = alloc_counted;
	if (here.alloc_n != nullptr) {
		type->iface.alloc_buffer_n = alloc_n_counted;
	}
	return count++;
}

extern "C" size_t stoa_ggml_counted(int index) {
	return index >= 0 && index < count ? counted[index].bytes.load() : 0;
}
