package ort

import (
	"fmt"
	"sort"
	"strconv"

	ortgo "github.com/yalue/onnxruntime_go"
)

// providerNames has, for each provider that can be asked for, what would be
// right where the library lacks it.
var providerNames = map[string]string{
	"cpu":      "",
	"cuda":     "give the path of a GPU build of the library (the release archive onnxruntime-linux-x64-gpu or the Python package onnxruntime-gpu) on a machine with CUDA and cuDNN, or use provider cpu",
	"tensorrt": "give the path of a GPU build of the library (the release archive onnxruntime-linux-x64-gpu or the Python package onnxruntime-gpu) on a machine with TensorRT, or use provider cpu",
	"openvino": "give the path of a library built with OpenVINO (the Python package onnxruntime-openvino), or use provider cpu",
	"coreml":   "use a macOS build of the library with CoreML (the release archive onnxruntime-osx-arm64) on a Mac, or use provider cpu",
	"directml": "use a Windows build of the library with DirectML (the package Microsoft.ML.OnnxRuntime.DirectML) on Windows, or use provider cpu",
}

func knownProviders() []string {
	var names []string
	for name := range providerNames {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Providers are the execution providers that this library can set up on this
// machine, of cpu, cuda, tensorrt, openvino, coreml and directml, sorted.
//
// Note: the binding does not expose the library's own list, which names what
// was compiled in, whether or not it can work here. So each is asked to join
// the options of a session that is never made, which is also what a session
// would do: it loads the provider's own libraries. Whether a device answers is
// known for certain only when a session is created.
func (e *Env) Providers() []string {
	var names []string
	for _, name := range knownProviders() {
		if e.ProviderError(name) == nil {
			names = append(names, name)
		}
	}
	return names
}

// ProviderError is nil for a provider that can be used, and else a
// *ProviderError that says why not and what would be right.
func (e *Env) ProviderError(name string) error {
	e.providersOnce.Do(func() {
		e.providers = map[string]error{}
		for _, name := range knownProviders() {
			so, err := ortgo.NewSessionOptions()
			if err == nil {
				err = e.appendProvider(so, name, nil)
				so.Destroy() //nolint:errcheck // it fails for nil only
			}
			e.providers[name] = err
		}
	})
	err, ok := e.providers[name]
	if !ok {
		return fmt.Errorf("ort: there is no execution provider %q; there are %v", name, knownProviders())
	}
	return err
}

// appendProvider adds a provider to a session's options, before the CPU, which
// is always there and takes what the provider leaves.
func (e *Env) appendProvider(so *ortgo.SessionOptions, name string, options map[string]string) error {
	var err error
	switch name {
	case "cpu":
	case "cuda":
		var o *ortgo.CUDAProviderOptions
		if o, err = ortgo.NewCUDAProviderOptions(); err == nil {
			defer o.Destroy() //nolint:errcheck // it always returns nil
			if err = e.updateProvider(name, options, o.Update); err != nil {
				return err
			}
			err = so.AppendExecutionProviderCUDA(o)
		}
	case "tensorrt":
		var o *ortgo.TensorRTProviderOptions
		if o, err = ortgo.NewTensorRTProviderOptions(); err == nil {
			defer o.Destroy() //nolint:errcheck // it always returns nil
			if err = e.updateProvider(name, options, o.Update); err != nil {
				return err
			}
			err = so.AppendExecutionProviderTensorRT(o)
		}
	case "openvino":
		err = so.AppendExecutionProviderOpenVINO(options)
	case "coreml":
		err = so.AppendExecutionProviderCoreMLV2(options)
	case "directml":
		device := 0
		for k, v := range options {
			if k != "device_id" {
				return fmt.Errorf("ort: provider directml has no option %q; it has device_id", k)
			}
			if device, err = strconv.Atoi(v); err != nil || device < 0 {
				return fmt.Errorf("ort: provider directml: device_id %q is not a number from 0 on", v)
			}
		}
		err = so.AppendExecutionProviderDirectML(device)
	default:
		return fmt.Errorf("ort: there is no execution provider %q; there are %v", name, knownProviders())
	}
	if err != nil {
		return &ProviderError{Provider: name, Library: e.path, Version: e.version, Reason: innermost(err), Want: providerNames[name]}
	}
	return nil
}

// updateProvider sets a provider's options; the binding's Update cannot take
// an empty map.
func (e *Env) updateProvider(name string, options map[string]string, update func(map[string]string) error) error {
	if len(options) == 0 {
		return nil
	}
	if err := update(options); err != nil {
		return wrap("set options of provider", name, err)
	}
	return nil
}
