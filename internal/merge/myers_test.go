package merge

import (
	"math/rand/v2"
	"testing"

	"github.com/trellis-mesh/trellis/test/soak"
)

func TestMatchIsALongestCommonSubsequence(t *testing.T) {
	rng := soak.Rand(t)
	for range 3000 {
		letters := 1 + rng.IntN(6)
		a, b := randomIDs(rng, letters), randomIDs(rng, letters)
		pairs := match(a, b)
		kept, last := 0, -1
		for i, j := range pairs {
			if j < 0 {
				continue
			}
			if j <= last || a[i] != b[j] {
				t.Fatalf("match(%v, %v) = %v: pair %d-%d is out of order or unequal", a, b, pairs, i, j)
			}
			kept, last = kept+1, j
		}
		if want := longestCommon(a, b); kept != want {
			t.Fatalf("match(%v, %v) keeps %d elements, want %d", a, b, kept, want)
		}
	}
}

func randomIDs(rng *rand.Rand, letters int) []int {
	ids := make([]int, rng.IntN(24))
	for i := range ids {
		ids[i] = rng.IntN(letters)
	}
	return ids
}

// longestCommon is the textbook dynamic program, to check the fast one against.
func longestCommon(a, b []int) int {
	row := make([]int, len(b)+1)
	for i := range a {
		diagonal := 0
		for j := range b {
			above := row[j+1]
			if a[i] == b[j] {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

func BenchmarkMatchUnrelatedTexts(b *testing.B) {
	x, y := make([]int, 2000), make([]int, 2000)
	for i := range x {
		x[i], y[i] = i, -i-1
	}
	for b.Loop() {
		match(x, y)
	}
}
