package merge

// match gives, for each element of a, the index in b that it is kept as, or -1; the indexes rise. The kept elements are a
// longest common subsequence, found in linear space (Myers, "An O(ND) Difference Algorithm and Its Variations", 1986).
func match(a, b []int) []int {
	pairs := make([]int, len(a))
	for i := range pairs {
		pairs[i] = -1
	}
	size := len(a) + len(b) + 3
	m := matcher{pairs: pairs, forward: make([]int, size), backward: make([]int, size)}
	m.compare(a, b, 0, 0)
	return pairs
}

type matcher struct {
	pairs             []int
	forward, backward []int // the furthest x on each diagonal
}

// compare pairs the elements of a and b, which begin at x0 and y0 of the whole.
func (m *matcher) compare(a, b []int, x0, y0 int) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		m.pairs[x0] = y0
		a, b, x0, y0 = a[1:], b[1:], x0+1, y0+1
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
		m.pairs[x0+len(a)] = y0 + len(b)
	}
	if len(a) == 0 || len(b) == 0 {
		return
	}
	s := m.middle(a, b)
	m.compare(a[:s.x], b[:s.y], x0, y0)
	for i := range s.length {
		m.pairs[x0+s.x+i] = y0 + s.y + i
	}
	end := s.x + s.length
	m.compare(a[end:], b[s.y+s.length:], x0+end, y0+s.y+s.length)
}

// A snake is a run of equal elements from (x, y) on; it may be empty.
type snake struct{ x, y, length int }

// middle searches from both ends at once for the snake in the middle of a shortest edit script.
func (m *matcher) middle(a, b []int) snake {
	n, o := len(a), len(b)
	delta := n - o
	// Diagonal k, the points where x-y = k, runs from -o to n.
	zero := o + 1
	m.forward[zero+1], m.backward[zero+1] = 0, 0
	for d := 0; ; d++ {
		low, high := -(d - 2*max(0, d-o)), d-2*max(0, d-n)
		for k := low; k <= high; k += 2 {
			start := furthest(m.forward, zero+k, k, d)
			x := start
			for x < n && x-k < o && a[x] == b[x-k] {
				x++
			}
			m.forward[zero+k] = x
			back := delta - k
			if delta%2 != 0 && -d < back && back < d && back >= -o && back <= n && x+m.backward[zero+back] >= n {
				return snake{start, start - k, x - start}
			}
		}
		for k := low; k <= high; k += 2 {
			start := furthest(m.backward, zero+k, k, d)
			x := start
			for x < n && x-k < o && a[n-1-x] == b[o-1-(x-k)] {
				x++
			}
			m.backward[zero+k] = x
			fore := delta - k
			if delta%2 == 0 && -d <= fore && fore <= d && fore >= -o && fore <= n && x+m.forward[zero+fore] >= n {
				return snake{n - x, o - (x - k), x - start}
			}
		}
	}
}

// furthest is where d edits get on diagonal k before equal elements carry them on: one step right or one step down.
func furthest(reached []int, at, k, d int) int {
	if k == -d || k != d && reached[at-1] < reached[at+1] {
		return reached[at+1]
	}
	return reached[at-1] + 1
}
