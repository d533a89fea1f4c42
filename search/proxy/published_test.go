package proxy_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"lathe/runtime/provision/provisiontest"
	"lathe/search/proxy"
)

// published reads one of the logs that the authors of Lite-Transformer-Search
// published: architectures that were really trained.
func published(t *testing.T, name string) *proxy.Table {
	t.Helper()
	f, err := os.Open(provisiontest.Shared(t, "lts/"+name+".csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := proxy.Read(f, name, proxy.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestPublishedTables ranks what 40 random trained architectures do not contain,
// 20 times. The fitted proxy's settings were chosen on the Transformer-XL tables; the
// GPT-2 tables had no part in them. The bounds lie below what was measured.
func TestPublishedTables(t *testing.T) {
	for _, c := range []struct {
		table            string
		decoder, fitted  float64 // least Spearman
		fittedTop10Least float64
	}{
		{"random_TransXL_lm1b", 0.995, 0.997, 0.85},
		{"random_TransXL_wt103", 0.955, 0.955, 0.5},
		{"random_TransXL_wt103_homogeneous", 0.87, 0.90, 0.5},
		{"random_GPT2_lm1b", 0.975, 0.985, 0.85},
		{"random_GPT2_wt103", 0.955, 0.975, 0.65},
	} {
		table := published(t, c.table)
		all, err := proxy.Validate(table, proxy.Names, proxy.Plan{Train: 40, Splits: 20}, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			t.Logf("%s; Kendall %s; best 10 %% %s", e, e.KendallTau, e.Top10)
			if e.Gain != nil {
				t.Logf("    over decoder_params %s", e.Gain)
			}
			if e.Coverage != nil {
				t.Logf("    %.3f within intervals of 95 %%", *e.Coverage)
			}
		}
		if e := all[0]; e.Spearman.Value < c.decoder {
			t.Errorf("%s: decoder parameters %s", c.table, e.Spearman)
		}
		if e := all[2]; e.Spearman.Value < c.fitted || e.Top10.Value < c.fittedTop10Least || *e.Coverage < 0.85 {
			t.Errorf("%s: fitted %s, top 10 %% %s, coverage %.2f", c.table, e.Spearman, e.Top10, *e.Coverage)
		}
	}
}
