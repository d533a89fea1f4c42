package reports

import (
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkReportForms writes each form of a report with 10,000 measured candidates. peak-MB
// is the most that the heap had beyond what it had before.
func BenchmarkReportForms(b *testing.B) {
	r := sampleReport()
	r.Measurements = measurements(10000)
	r.Summarize()
	for _, form := range []Form{FormText, FormMarkdown, FormJSON, FormCSV, FormJUnit, FormHTML} {
		b.Run(string(form), func(b *testing.B) {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			before := m.HeapAlloc
			var peak atomic.Uint64
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					select {
					case <-stop:
						return
					case <-time.After(2 * time.Millisecond):
						var m runtime.MemStats
						runtime.ReadMemStats(&m)
						peak.Store(max(peak.Load(), m.HeapAlloc))
					}
				}
			}()
			b.ReportAllocs()
			for b.Loop() {
				if err := r.Write(io.Discard, form); err != nil {
					b.Fatal(err)
				}
			}
			close(stop)
			<-stopped
			b.ReportMetric(float64(max(peak.Load(), before)-before)/1e6, "peak-MB")
		})
	}
}
