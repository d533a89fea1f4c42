package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lathe/reports"
)

// reportFlags are what lathe report is asked.
type reportFlags struct {
	out, form                      string
	search, baseline, study, proxy string
	profiles                       []string
	given                          []*profiled // besides these files
	nights, title                  string
	gate                           bool
}

// reportForm is a form by the name of its file.
type reportForm struct {
	file string
	form reports.Form
}

var reportForms = []reportForm{
	{"report.html", reports.FormHTML}, {"report.md", reports.FormMarkdown}, {"report.json", reports.FormJSON},
	{"report.csv", reports.FormCSV}, {"report.junit.xml", reports.FormJUnit}, {"report.txt", reports.FormText},
}

func (a *app) cmdReport() *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Put all that is known of a search and its measurements into one report",
		Long: `Gather what the store has of the last search, or of --search, and of all measurements
beside its baseline: the front and its pick, how the search went, the paper's tables,
latencies as distributions, how far the latency model can be trusted, what was measured
and under which conditions, the nights of lathe nightly, and every warning. It begins
with three sentences: what was found, how sure that is, what to look at. Nothing is
measured, and the store is only read: a search may run meanwhile.

Printed as text, or in another --format: text, markdown, json, csv, junit, html. -o FOLDER
writes all of them at once:

  report.html       one page that needs nothing else: plots, dark and light, for print
  report.md         for a repository or a pull request, with the plots in figures/
  report.json       every number that the other forms show
  report.csv        the same as rows, for a spreadsheet
  report.junit.xml  the checks, for CI
  report.txt        for a terminal or a mail
  figures/          each plot as SVG and PNG

The folder is replaced if it is a report of ours. What the store does not have comes from
files: --study FOLDER of lathe study for Tables 1 to 3, --profile FILE of lathe profile
--json for where the time goes, --proxy FILE of lathe proxy --json for what speaks for the
proxy. What is missing is listed with the command that makes it.

Only measurements of one machine are in the figures, the newest of the search's: those of
others are counted. A store without a search gives a report of its records and nights.

The exit status is 0 when the report was made, whatever it says. With --gate it is 3 if a
check of report.junit.xml fails, and 4 if one cannot tell.`,
		Example: `  lathe report
  lathe report -o report
  lathe report --format markdown > report.md
  lathe profile gpt2-l7-d1280-f6016-h16 --json > pick.json && lathe report -o report --profile pick.json
  lathe report --study study -o study/report
  lathe report -o report --gate`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.validate(cmd.Flags(), a.json); err != nil {
				return badInput(err)
			}
			return a.report(cmd.Context(), &f)
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.out, "output", "o", "", "write all forms to this `FOLDER`, whole or not at all")
	fs.StringVar(&f.form, "format", "", "print in this `FORM`: text, markdown, json, csv, junit or html (default text)")
	fs.StringVar(&f.search, "search", "", "`ID` of the search, as lathe front --list has it (default: the last one that has a front)")
	fs.StringVar(&f.baseline, "baseline", "", "report what was measured beside this baseline: its `NAME` or file (default: the search's, or the newest record's)")
	fs.StringVar(&f.study, "study", "", "`FOLDER` of a study, for Tables 1 to 3; its store is read if no other is given")
	fs.StringArrayVar(&f.profiles, "profile", nil, "`FILE` with what lathe profile --json printed; may be repeated")
	fs.StringVar(&f.proxy, "proxy", "", "`FILE` with what lathe proxy --json printed")
	fs.StringVar(&f.nights, "nights", "", "nights of the `MACHINE` whose hash begins so (default: this machine's, or those of the only one)")
	fs.StringVar(&f.title, "title", "", "`TEXT` to head the report with")
	fs.BoolVar(&f.gate, "gate", false, "exit status 3 if a check fails, 4 if one cannot tell")
	return cmd
}

// validate refuses flags that contradict each other.
func (f *reportFlags) validate(fs *pflag.FlagSet, asJSON bool) error {
	switch {
	case asJSON && f.form != "" && f.form != string(reports.FormJSON):
		return fmt.Errorf("report: --json and --format %s: want one of them", f.form)
	case f.out != "" && fs.Changed("format"):
		return errors.New("report: -o writes all forms: it goes with no --format")
	case f.out == "" && fs.Changed("output"):
		return errors.New("report: -o is empty: want a folder to write to")
	}
	if f.form == "" {
		f.form = string(reports.FormText)
		if asJSON {
			f.form = string(reports.FormJSON)
		}
	}
	var known []string
	for _, k := range reportForms {
		if string(k.form) == f.form {
			return nil
		}
		known = append(known, string(k.form))
	}
	return fmt.Errorf("report: unknown format %q: %s", f.form, meant(f.form, known))
}

// report makes the report and prints or writes it.
func (a *app) report(ctx context.Context, f *reportFlags) error {
	if f.out != "" { // before the minutes that follow for nothing
		if err := reportFolder(f.out).place(); err != nil {
			return err
		}
	}
	r, err := a.newReport(ctx, f)
	if err != nil {
		return err
	}
	switch {
	case f.out == "":
		err = r.Write(a.stdout, reports.Form(f.form))
	default:
		if err = writeReport(ctx, f.out, r); err != nil {
			break
		}
		if a.json {
			err = r.Write(a.stdout, reports.FormJSON)
			break
		}
		fmt.Fprintf(a.stdout, "Report in %s: open %s\n\n", f.out, filepath.Join(f.out, reportForms[0].file))
		_, err = fmt.Fprintln(a.stdout, strings.Join(plainSummary(r), "\n"))
	}
	if err != nil || !f.gate {
		return err
	}
	return gateOf(r)
}

// plainSummary is a report's summary as a terminal takes it.
func plainSummary(r *reports.Report) []string {
	out := slices.Clone(r.Summary)
	for i := range out {
		out[i] = reports.Plain(out[i])
	}
	return out
}

// gateOf is the exit status that JUnit's file means.
func gateOf(r *reports.Report) error {
	of := func(status string) (names []string) {
		for _, c := range r.Checks {
			if c.Status == status {
				names = append(names, c.Group+": "+c.Name)
			}
		}
		return names
	}
	if failed := of(reports.Failed); len(failed) > 0 {
		return gateError{fmt.Errorf("report: %s failed: %s", reports.Count(len(failed), "check"), strings.Join(failed, "; "))}
	}
	if skipped := of(reports.CannotTell); len(skipped) > 0 {
		return unsureError{fmt.Errorf("report: %s cannot tell: %s", reports.Count(len(skipped), "check"), strings.Join(skipped, "; "))}
	}
	return nil
}
