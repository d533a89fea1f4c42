package reports

import "reflect"

// hostile is a name that tries what each form could take for its own.
const hostile = "=cmd|' /C calc'!A0 \x1b[31m\u202e\u0085<script>alert(1)</script>|`x`![p](http://evil.example/p.png)[l](javascript:alert(1)) @everyone \"'&lt;\r\n# h\x00\xff]]>-->"

// hostileReport is the sample with a hostile text wherever a report has one that comes from
// outside.
func hostileReport() *Report {
	r := sampleReport()
	for _, v := range []any{&r.Title, r.Front, &r.Models, r.Suggestions, &r.Distributions, &r.Operators, &r.Fits, r.Proxy, r.Measurements, r.Nights, &r.Conditions, &r.Warnings, &r.Missing} {
		spoil(reflect.ValueOf(v).Elem())
	}
	r.Summarize()
	return r
}

// spoil sets the texts in a value, except for those that say which of a few things is meant.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() && v.CanSet() {
			v.SetString(v.String() + hostile)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			spoil(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i))
		}
	case reflect.Struct:
		if v.Type().PkgPath() == "time" || v.Type().Name() == "Spec" || v.Type().Name() == "Subject" || v.Type().Name() == "Candidate" {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "Metric" && f.Name != "Verdict" && f.Name != "How" && f.Name != "Metrics" {
				spoil(v.Field(i))
			}
		}
	}
}
