package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"lathe/reports"
)

// reportMark is the file that tells a report's folder from somebody's.
const reportMark = ".lathe-report"

// figuresFolder is the folder of the plots, in the report's.
const figuresFolder = "figures"

func reportFolder(dir string) outFolder {
	return outFolder{dir: filepath.Clean(dir), command: "report", what: "report", mark: reportMark, replace: true, own: ofReport}
}

// ofReport reports whether a report has a file of this path, in its folder.
func ofReport(path string) bool {
	dir, file := filepath.Split(path)
	ending := strings.TrimPrefix(filepath.Ext(file), ".")
	return path == reportMark || filepath.Clean(dir) == figuresFolder && (ending == string(reports.SVG) || ending == string(reports.PNG)) ||
		slices.ContainsFunc(reportForms, func(f reportForm) bool { return f.file == path })
}

// writeReport writes all forms and figures to a folder, whole or not at all.
func writeReport(ctx context.Context, dir string, r *reports.Report) (err error) {
	folder := reportFolder(dir)
	if err := folder.place(); err != nil {
		return err
	}
	work, remove, err := folder.work()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	type file struct {
		path  string
		write func(io.Writer) error
	}
	tasks := [][]file{{{reportMark, func(io.Writer) error { return nil }}}}
	for _, f := range reportForms {
		tasks = append(tasks, []file{{f.file, func(w io.Writer) error {
			if f.form == reports.FormMarkdown {
				return r.WriteMarkdown(w, figuresFolder)
			}
			return r.Write(w, f.form)
		}}})
	}
	plots, err := r.Plots()
	if err != nil {
		return err
	}
	for _, p := range plots {
		var both []file // of one drawing, which is nothing for two at once
		for _, format := range []reports.Format{reports.SVG, reports.PNG} {
			both = append(both, file{filepath.Join(figuresFolder, p.Name+"."+string(format)), func(w io.Writer) error { return p.Drawing.Write(w, format) }})
		}
		tasks = append(tasks, both)
	}
	err = inParallel(len(tasks), func(i int) error {
		for _, f := range tasks[i] {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := create(filepath.Join(work, f.path), f.write); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return folder.settle(ctx, work)
}
