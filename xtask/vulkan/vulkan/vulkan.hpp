// Vulkan's C++ headers, with what llama.cpp names of VK_EXT_layer_settings where they are older than that (1.3.272), as
// in Debian 12. It is told to a validation layer and to nobody else.
#pragma once

#include_next <vulkan/vulkan.hpp>

#if VK_HEADER_VERSION < 272

#include <cstdint>
#include <vector>

namespace vk {

enum class LayerSettingTypeEXT : int32_t { eBool32 = 0 };

struct LayerSettingEXT {
	const char *pLayerName;
	const char *pSettingName;
	LayerSettingTypeEXT type;
	uint32_t valueCount;
	const void *pValues;
};

struct LayerSettingsCreateInfoEXT {
	explicit LayerSettingsCreateInfoEXT(const std::vector<LayerSettingEXT> &settings)
	    : settingCount(static_cast<uint32_t>(settings.size())), pSettings(settings.data()) {}

	// VK_STRUCTURE_TYPE_LAYER_SETTINGS_CREATE_INFO_EXT
	int32_t sType = 1000496000;
	const void *pNext = nullptr;
	uint32_t settingCount;
	const LayerSettingEXT *pSettings;
};

} // namespace vk

#endif
