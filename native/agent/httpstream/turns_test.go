package httpstream

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"a3s.dev/box/agent/stream"
)

func numbered(t *testing.T, number int) *http.Request {
	t.Helper()
	request := newRequestTo(t, t.Context(), "POST", "/"+strconv.Itoa(number), strings.NewReader("body"))
	request.Header.Set(sequence, strconv.Itoa(number))
	return request
}

func TestRequestsBeginInTheOrderOfTheirNumbers(t *testing.T) {
	var mu sync.Mutex
	var begun []string
	c := client(t, func(s stream.Stream) {
		s.Collect(4, func([]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			begun = append(begun, s.Head().Path)
			s.Answer(204, "", nil)
		})
	})
	const count = 50
	var want []string
	var all sync.WaitGroup
	for number := count; number > 0; number-- {
		want = append([]string{"/" + strconv.Itoa(number)}, want...)
		all.Add(1)
		request := numbered(t, number)
		go func() {
			defer all.Done()
			response, err := c.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			_ = response.Body.Close()
		}()
	}
	all.Wait()
	if !slices.Equal(begun, want) {
		t.Errorf("got %v", begun)
	}
}

func TestARequestThatNeverComesIsWaitedForAWhile(t *testing.T) {
	turns := newTurns(time.Millisecond)
	begun := make(chan int, 3)
	first := turns.enter(numbered(t, 1))
	var all sync.WaitGroup
	for _, number := range []int{5, 3} {
		all.Add(1)
		go func() {
			defer all.Done()
			leave := turns.enter(numbered(t, number))
			begun <- number
			leave()
		}()
	}
	// Nobody is given up while another one is begun.
	for waiting := 0; waiting < 2; {
		turns.mu.Lock()
		waiting = len(turns.waiting)
		turns.mu.Unlock()
	}
	if len(begun) != 0 {
		t.Error("one has begun out of its turn")
	}
	first()
	all.Wait()
	if a, b := <-begun, <-begun; a != 3 || b != 5 {
		t.Errorf("got %d, %d", a, b)
	}
	// What comes late, or twice, has no turn.
	for _, number := range []int{2, 5} {
		turns.enter(numbered(t, number))()
	}
	turns.enter(numbered(t, 6))()
}
