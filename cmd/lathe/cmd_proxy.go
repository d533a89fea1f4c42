package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"lathe/graphgen/arch"
	"lathe/reports"
	"lathe/search/proxy"
)

// proxyFlags are what lathe proxy is asked.
type proxyFlags struct {
	quality string
	higher  bool
	plot    string
	plan    proxy.Plan
}

// defaultSplits are enough for the mean over them to be known better than any one.
const defaultSplits = 20

func (a *app) cmdProxy() *cobra.Command {
	var f proxyFlags
	cmd := &cobra.Command{
		Use:   "proxy TABLE.csv",
		Short: "Validate quality proxies on architectures that you have trained",
		Long: `A proxy says how good an architecture will be without training it. How far that
holds for your data and your way to train, only trained architectures can tell: a
few dozen small and short trainings are enough to compare proxies. They come as
CSV with a header, one trained architecture a row:

  candidate,ppl                             or   n_layer,d_model,d_inner,n_head,ppl
  gpt2-l4-d256-f1024-h4,61.2                     4,256,1024,4,61.2
  gpt2-l6-d192-f768-h4,64.9                      3,256,512|768|1024,4|4|8,66.0

d_inner, n_head and n_kv_head have one number, or one a layer with | between them;
vocab and positions are columns too, or those of the configuration's space. The
quality is column perplexity, ppl, val_ppl, loss or val_loss, or --quality COLUMN;
lower is better unless --higher-is-better. Other columns are left alone.

  decoder_params  parameters of the layers; the default, and the paper's
  total_params    all parameters, embeddings included
  fitted          a Gaussian process over decoder parameters, d_model, d_inner/d_model
                  and n_head, learned from the table; decoder_params where that is silent

Every row is scored by a proxy that has not seen it: by cross-validation in 10 folds,
or, with --train N, by one that learned from N rows drawn at random, --splits times.
Printed are rank correlations with the quality, what fitted gains over decoder_params,
and which part of the best tenth a proxy finds, where a choice is made and rankings
are weakest. Intervals of 95 % are from resampling the rows.`,
		Example: `  lathe proxy trained.csv
  lathe proxy trained.csv --proxy fitted --plot fitted.svg
  lathe proxy trained.csv --quality accuracy --higher-is-better --train 40 --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return badInput(fmt.Errorf("proxy: 1 TABLE.csv needed, %d given; see lathe proxy --help", len(args)))
			}
			return minArgs(1, "TABLE.csv")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch splits := cmd.Flags().Changed("splits"); {
			case f.plan.Train == 0 && (splits || cmd.Flags().Changed("train")):
				return badInput(errors.New("proxy: --train wants the number of rows to learn from, and --splits goes with it"))
			case f.plan.Train != 0 && !splits:
				f.plan.Splits = defaultSplits
			}
			return a.proxy(&f, args[0])
		},
	}
	fs := cmd.Flags()
	fs.String("proxy", "", "`NAME` of the proxy that is drawn: decoder_params, total_params or fitted")
	a.bind(fs, "search.proxy", "proxy")
	fs.StringVar(&f.quality, "quality", "", "`COLUMN` of what training gave")
	fs.BoolVar(&f.higher, "higher-is-better", false, "the quality is one of which more is better, such as an accuracy")
	fs.StringVar(&f.plot, "plot", "", "draw quality against score to `FILE`, which ends in .svg or .png")
	fs.IntVar(&f.plan.Train, "train", 0, "learn from so many rows, and rank the others (default: cross-validation)")
	fs.IntVar(&f.plan.Splits, "splits", 0, fmt.Sprintf("random ways to draw them (default %d)", defaultSplits))
	fs.Uint64("seed", 0, "seed of how rows are drawn")
	a.bind(fs, "seed", "seed")
	return cmd
}

// proxyStream keeps the drawing of rows apart from other uses of the seed.
const proxyStream = 0x9a0c11

func (a *app) proxy(f *proxyFlags, path string) error {
	if err := proxy.CheckName(a.cfg.Search.Proxy); err != nil {
		return badInput(fmt.Errorf("search.proxy: %w", err))
	}
	if _, err := plotFormat(f.plot); err != nil {
		return badInput(err)
	}
	t, err := a.trainedTable(path, proxy.ReadOptions{Quality: f.quality, HigherIsBetter: f.higher})
	if err != nil {
		return err
	}
	rng := func() *rand.Rand { return rand.New(rand.NewPCG(a.cfg.Seed, proxyStream)) }
	all, err := proxy.Validate(t, proxy.Names, f.plan, rng())
	if learns := errors.Is(err, proxy.ErrNothingToLearn); learns && a.cfg.Search.Proxy != "fitted" {
		a.note("warning: %v", err)
		all, err = proxy.Validate(t, slices.DeleteFunc(slices.Clone(proxy.Names), func(n string) bool { return n == "fitted" }), f.plan, rng())
	}
	if err != nil {
		return badInput(err)
	}
	if f.plot != "" {
		chosen := all[slices.IndexFunc(all, func(e proxy.Evidence) bool { return e.Proxy == a.cfg.Search.Proxy })]
		if err := plotProxy(f.plot, chosen); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(struct {
			Proxies []proxy.Evidence `json:"proxies"`
		}{all})
	}
	return a.printProxies(all)
}

// trainedTable reads a table of trained architectures, of the configuration's family
// where rows do not say.
func (a *app) trainedTable(path string, o proxy.ReadOptions) (*proxy.Table, error) {
	o.Base = a.cfg.Space.Spec(arch.Point{NLayer: 1, DModel: 1, DInner: 1, NHead: 1})
	file, err := os.Open(path)
	if err != nil {
		return nil, badInput(err)
	}
	defer file.Close()
	t, err := proxy.Read(file, path, o)
	return t, badInput(err)
}

func (a *app) printProxies(all []proxy.Evidence) error {
	figure := func(f proxy.Figure) reports.ProxyFigure { return reports.ProxyFigure{Value: f.Value, CI: f.CI} }
	var rows []reports.ProxyRow
	var warnings []string
	for _, e := range all {
		r := reports.ProxyRow{
			Name: e.Proxy, Spearman: figure(e.Spearman), KendallTau: figure(e.KendallTau), Top: figure(e.Top10), Coverage: e.Coverage,
		}
		if e.Gain != nil {
			gain := figure(*e.Gain)
			r.Gain = &gain
		}
		rows = append(rows, r)
		for _, w := range e.Warnings {
			if !slices.Contains(warnings, w) {
				warnings = append(warnings, w)
			}
		}
	}
	e := all[0]
	remark := fmt.Sprintf("%d trained architectures of %s, ranked by %s; held out: %s, seed %d.", e.Trained, e.Table, e.Quality, e.Method, a.cfg.Seed)
	if err := reports.ProxyTable(a.stdout, reports.Text, remark, rows); err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprintln(a.stdout, "warning:", w)
	}
	return nil
}

// plotProxy draws a proxy's scores of the rows that it had not seen.
func plotProxy(path string, e proxy.Evidence) error {
	format, err := plotFormat(path)
	if err != nil {
		return err
	}
	d := proxyPlotData(e)
	var out bytes.Buffer
	if err := reports.ProxyPlot(&out, format, d); err != nil {
		return err
	}
	return create(path, func(w io.Writer) error { _, err := w.Write(out.Bytes()); return err })
}

// proxyPlotData is what a proxy's plot draws.
func proxyPlotData(e proxy.Evidence) reports.ProxyPlotData {
	d := reports.ProxyPlotData{
		Title:      fmt.Sprintf("%s on %s: Spearman %.3f", e.Proxy, filepath.Base(e.Table), e.Spearman.Value),
		ScoreLabel: e.Proxy, QualityLabel: e.Quality,
		LogScore: e.Proxy != "fitted", LogValue: true,
	}
	if !d.LogScore {
		d.ScoreLabel += ", predicted while held out (higher is better)"
	}
	better := func(x, y float64) int { return cmp.Compare(x, y) }
	if e.HigherIsBetter {
		better = func(x, y float64) int { return cmp.Compare(y, x) }
	}
	held := slices.SortedStableFunc(slices.Values(e.Held), func(x, y proxy.Held) int { return better(x.Quality, y.Quality) })
	for i, h := range held {
		d.Points = append(d.Points, reports.ProxyPoint{Score: h.Score, Quality: h.Quality, Best: 10*i < len(held)})
		d.LogValue = d.LogValue && h.Quality > 0
	}
	return d
}
