package ort

import (
	"fmt"
	"strconv"
	"strings"

	ortgo "github.com/yalue/onnxruntime_go"
)

// GraphLevel is how far the library rewrites a graph before it runs it.
type GraphLevel int

// The levels. The zero value is all of them.
const (
	GraphAll GraphLevel = iota
	GraphNone
	GraphBasic
	GraphExtended
	GraphLayout
)

// LogLevel is what the library prints to stderr. The zero value is nothing:
// what goes wrong is returned.
type LogLevel int

// The levels, each with those before it.
const (
	LogNothing LogLevel = iota
	LogErrors
	LogWarnings
	LogInfo
	LogVerbose
)

// Options say how a session runs. The zero value is one thread that does not
// spin, every graph optimization, the CPU.
type Options struct {
	Name string // for errors; "" shows the graph's own name

	Threads      int // within an operator, the calling thread among them; 0 is 1
	InterThreads int // operators side by side; 0 is 1, which is sequential
	// Affinity pins the threads that the library makes, all but the calling
	// one: logical processors counted from 1, a group for each of the
	// Threads-1, such as "2;3;4" or "1-4;5-8". The caller pins its own.
	Affinity string
	// Spinning lets idle threads burn their core while they wait for work.
	// It saves microseconds, and disturbs whatever else runs.
	Spinning bool

	GraphLevel        GraphLevel
	NoMemPattern      bool // do not plan all of a run's memory from its first shapes
	NoArena           bool // give memory back to the system after every run
	DisablePrepacking bool // keep weights as they lie in the file, mapped and not copied
	LogLevel          LogLevel
	// ProfilePrefix starts the name of the JSON file that Close then writes,
	// see Session.Profile.
	ProfilePrefix string
	// OptimizedPath is a file that the graph is saved to which the library makes of the
	// model, with its weights beside it: see Env.SaveOptimized.
	OptimizedPath string

	Provider        string            // "" is "cpu"; see Providers
	ProviderOptions map[string]string // in the provider's own words
	// ConfigEntries are ONNX Runtime's session configuration keys. They come
	// last and so override what the other options set.
	ConfigEntries map[string]string
}

// Session configuration keys (onnxruntime_session_options_config_keys.h).
const (
	keyExternalFolder = "session.model_external_initializers_file_folder_path"
	keyAffinity       = "session.intra_op_thread_affinities"
	keySpinning       = "session.intra_op.allow_spinning"
	keyInterSpinning  = "session.inter_op.allow_spinning"
	keyNoPrepacking   = "session.disable_prepacking"
)

// graphOptimizationLevelLayout is ORT_ENABLE_LAYOUT, which the binding leaves out.
const graphOptimizationLevelLayout = 3

func (o Options) provider() string {
	if o.Provider == "" {
		return "cpu"
	}
	return o.Provider
}

func (o Options) validate() error {
	const most = 1024 // threads; the library would try to start any number
	if o.Threads < 0 || o.Threads > most {
		return fmt.Errorf("ort: threads is %d, want 1 to %d, or 0 for 1", o.Threads, most)
	}
	if o.InterThreads < 0 || o.InterThreads > most {
		return fmt.Errorf("ort: inter-op threads is %d, want 1 to %d, or 0 for 1", o.InterThreads, most)
	}
	if o.GraphLevel < GraphAll || o.GraphLevel > GraphLayout {
		return fmt.Errorf("ort: there is no graph level %d", o.GraphLevel)
	}
	if o.LogLevel < LogNothing || o.LogLevel > LogVerbose {
		return fmt.Errorf("ort: there is no log level %d", o.LogLevel)
	}
	if o.Affinity != "" {
		want := max(o.Threads, 1) - 1
		if have := strings.Count(o.Affinity, ";") + 1; have != want {
			return fmt.Errorf("ort: affinity %q pins %d threads; with %d threads the library makes %d, the calling thread is the other one", o.Affinity, have, max(o.Threads, 1), want)
		}
	}
	for k, v := range o.ConfigEntries {
		if k == "" || strings.ContainsRune(k, 0) || strings.ContainsRune(v, 0) {
			return fmt.Errorf("ort: config entry %q = %q is empty or has a zero byte", k, v)
		}
	}
	if _, ok := providerNames[o.provider()]; !ok {
		return fmt.Errorf("ort: there is no execution provider %q; there are %s", o.Provider, strings.Join(knownProviders(), ", "))
	}
	if o.provider() == "cpu" && len(o.ProviderOptions) > 0 {
		return fmt.Errorf("ort: provider cpu takes no options, got %v", o.ProviderOptions)
	}
	return nil
}

// sessionOptions makes the library's form of the options. The caller destroys it.
func (e *Env) sessionOptions(o Options, externalDir string) (*ortgo.SessionOptions, error) {
	so, err := ortgo.NewSessionOptions()
	if err != nil {
		return nil, wrap("create session options", "", err)
	}
	set := func(what string, f func() error) {
		if err == nil {
			if err = f(); err != nil {
				err = wrap("set session option", what, err)
			}
		}
	}
	entry := func(k, v string) { set(k, func() error { return so.AddSessionConfigEntry(k, v) }) }

	set("threads", func() error { return so.SetIntraOpNumThreads(max(o.Threads, 1)) })
	set("inter-op threads", func() error { return so.SetInterOpNumThreads(max(o.InterThreads, 1)) })
	if o.InterThreads > 1 {
		set("execution mode", func() error { return so.SetExecutionMode(ortgo.ExecutionModeParallel) })
	}
	if o.Affinity != "" {
		entry(keyAffinity, o.Affinity)
	}
	spin := "0"
	if o.Spinning {
		spin = "1"
	}
	entry(keySpinning, spin)
	entry(keyInterSpinning, spin)
	levels := [...]ortgo.GraphOptimizationLevel{
		GraphAll: ortgo.GraphOptimizationLevelEnableAll, GraphNone: ortgo.GraphOptimizationLevelDisableAll,
		GraphBasic: ortgo.GraphOptimizationLevelEnableBasic, GraphExtended: ortgo.GraphOptimizationLevelEnableExtended,
		GraphLayout: graphOptimizationLevelLayout,
	}
	set("graph level", func() error { return so.SetGraphOptimizationLevel(levels[o.GraphLevel]) })
	set("memory pattern", func() error { return so.SetMemPattern(!o.NoMemPattern && o.provider() != "directml") })
	set("arena", func() error { return so.SetCpuMemArena(!o.NoArena) })
	logs := [...]ortgo.LoggingLevel{LogNothing: ortgo.LoggingLevelFatal, LogErrors: ortgo.LoggingLevelError, LogWarnings: ortgo.LoggingLevelWarning, LogInfo: ortgo.LoggingLevelInfo, LogVerbose: ortgo.LoggingLevelVerbose}
	set("log level", func() error { return so.SetLogSeverityLevel(logs[o.LogLevel]) })
	if o.DisablePrepacking {
		entry(keyNoPrepacking, "1")
	}
	if externalDir != "" {
		entry(keyExternalFolder, externalDir)
	}
	if o.ProfilePrefix != "" {
		set("profile "+strconv.Quote(o.ProfilePrefix), func() error { return so.EnableProfiling(o.ProfilePrefix) })
	}
	if o.OptimizedPath != "" {
		set("optimized model "+strconv.Quote(o.OptimizedPath), func() error { return saveOptimized(so, o.OptimizedPath) })
	}
	for k, v := range o.ConfigEntries {
		entry(k, v)
	}
	if err == nil {
		err = e.appendProvider(so, o.provider(), o.ProviderOptions)
	}
	if err != nil {
		so.Destroy() //nolint:errcheck // it fails for nil only
		return nil, err
	}
	return so, nil
}
