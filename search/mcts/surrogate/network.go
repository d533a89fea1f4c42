package surrogate

import (
	"math"
	"math/rand/v2"
)

// network is a trunk of two layers of tanh and a linear layer on it, in float64. theta
// has, layer by layer, the matrix [out, in] and the biases [out].
type network struct {
	in, hidden, out int
	theta           []float64
	a1, a2, y       []float64 // activations of the last forward
	d1, d2          []float64 // their gradients
}

// newNetwork draws matrices as Glorot and Bengio 2010 have them; biases are 0.
func newNetwork(in, hidden, out int, rng *rand.Rand) *network {
	n := &network{
		in: in, hidden: hidden, out: out,
		a1: make([]float64, hidden), a2: make([]float64, hidden), y: make([]float64, out),
		d1: make([]float64, hidden), d2: make([]float64, hidden),
	}
	for _, l := range [][2]int{{in, hidden}, {hidden, hidden}, {hidden, out}} {
		bound := math.Sqrt(6 / float64(l[0]+l[1]))
		for range l[0] * l[1] {
			n.theta = append(n.theta, bound*(2*rng.Float64()-1))
		}
		n.theta = append(n.theta, make([]float64, l[1])...)
	}
	return n
}

// layers splits a slice of the parameters' shape into those of each layer.
func (n *network) layers(theta []float64) (l1, l2, l3 []float64) {
	a := n.hidden * (n.in + 1)
	b := a + n.hidden*(n.hidden+1)
	return theta[:a], theta[a:b], theta[b:]
}

// forward returns the outputs, which are the network's until the next call.
func (n *network) forward(x []float64) []float64 {
	l1, l2, l3 := n.layers(n.theta)
	affine(l1, x, n.a1)
	tanh(n.a1)
	affine(l2, n.a1, n.a2)
	tanh(n.a2)
	affine(l3, n.a2, n.y)
	return n.y
}

// backward adds to gradient that of a loss whose derivatives by the outputs of the last
// forward, which was of x, are dy.
func (n *network) backward(x, dy, gradient []float64) {
	_, l2, l3 := n.layers(n.theta)
	g1, g2, g3 := n.layers(gradient)
	affineBack(l3, g3, n.a2, dy, n.d2)
	tanhBack(n.a2, n.d2)
	affineBack(l2, g2, n.a1, n.d2, n.d1)
	tanhBack(n.a1, n.d1)
	affineBack(nil, g1, x, n.d1, nil)
}

// affine is y = W x + b.
func affine(layer, x, y []float64) {
	k := len(x)
	bias := layer[len(y)*k:]
	for j := range y {
		sum := bias[j]
		row := layer[j*k : (j+1)*k]
		for i, v := range x {
			sum += row[i] * v
		}
		y[j] = sum
	}
}

// affineBack adds dy xᵀ and dy to the layer's gradient, and sets dx to Wᵀ dy where it is
// wanted.
func affineBack(layer, gradient, x, dy, dx []float64) {
	k := len(x)
	bias := gradient[len(dy)*k:]
	clear(dx)
	for j, d := range dy {
		bias[j] += d
		row := gradient[j*k : (j+1)*k]
		for i, v := range x {
			row[i] += d * v
		}
		if dx == nil {
			continue
		}
		for i, w := range layer[j*k : (j+1)*k] {
			dx[i] += d * w
		}
	}
}

func tanh(a []float64) {
	for i, v := range a {
		a[i] = math.Tanh(v)
	}
}

func tanhBack(a, d []float64) {
	for i, v := range a {
		d[i] *= 1 - v*v
	}
}
