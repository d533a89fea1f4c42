// Package proxy says how good an architecture will be without training it, and how
// far that can be trusted.
//
// A proxy scores an arch.Spec, higher being better: by the parameters of its decoder
// (as Lite-Transformer-Search does), by all its parameters, or by [Fitted], a
// Gaussian process over counts and shape that has learned from architectures that
// the user has trained. Those come as a [Table], read from CSV. A table also
// validates a proxy: [Validate] compares scores with trained quality, on rows that
// no proxy has learned from, and its [Evidence] goes wherever the proxy's scores go.
//
// It trains nothing. It stands beside the search's methods: search takes a proxy
// through its Proxy interface, reports prints evidence, cmd joins them.
package proxy
