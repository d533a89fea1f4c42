// Package workload is about distributions of requests: what a predictor is asked,
// and when. It generates workloads (Default, Typing, Generate), makes them from
// text (FromText), reads and writes them as trace files (Read, Write), says what
// is in one (Describe), and whether a model can take it (Check).
//
// It times nothing and knows no model. What a workload is, how it is identified
// and when it is valid is record's (record.Workload), since every record carries
// the one that it was timed on; this package stands before the timing, and makes
// what cmd gives to the profiler's plan.
package workload
