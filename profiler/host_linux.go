package profiler

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lathe/profiler/record"
)

// fillHost adds what Linux tells of the machine. What cannot be read stays
// empty: containers hide some of it.
func fillHost(h *record.Host) {
	h.CPUModel, h.Flags = readCPUInfo("/proc/cpuinfo")
	h.Governor = readLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
	h.MemoryBytes = readMemTotal("/proc/meminfo")
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		h.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) == nil {
		h.Cores = set.Count()
	}
}

// readCPUInfo returns the model and the vector and matrix extensions, on which
// ONNX Runtime's choice of kernels depends.
func readCPUInfo(path string) (model string, flags []string) {
	f, err := os.Open(path)
	if err != nil {
		return "", nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		key, val, _ := strings.Cut(s.Text(), ":")
		switch val = strings.TrimSpace(val); strings.TrimSpace(key) {
		case "model name":
			model = val
		case "flags", "Features":
			for _, flag := range strings.Fields(val) {
				if kernelFlag(flag) {
					flags = append(flags, flag)
				}
			}
		case "":
			return model, flags // the first processor stands for all
		}
	}
	return model, flags
}

// kernelFlag tells the instruction sets that MLAS dispatches on.
func kernelFlag(flag string) bool {
	for _, prefix := range []string{"avx", "amx", "fma", "f16c", "sse4", "asimd", "sve", "i8mm", "bf16", "fphp", "sme"} {
		if strings.HasPrefix(flag, prefix) {
			return true
		}
	}
	return false
}

func readLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// readMemTotal returns the machine's memory in bytes, 0 if unknown.
func readMemTotal(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	_, rest, ok := strings.Cut(string(b), "MemTotal:")
	if !ok {
		return 0
	}
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10
}
