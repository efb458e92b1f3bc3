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
	"a3s.dev/box/agent/stream/streamtest"
)

func numbered(t *testing.T, number int) *http.Request {
	t.Helper()
	request := streamtest.NewRequest(t, t.Context(), "POST", "/"+strconv.Itoa(number), strings.NewReader("body"))
	request.Header.Set(sequence, strconv.Itoa(number))
	return request
}

func TestRequestsBeginInTheOrderOfTheirNumbers(t *testing.T) {
	var mu sync.Mutex
	var started []string
	c := client(t, func(s stream.Stream) {
		s.Collect(4, func([]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			started = append(started, s.Head().Path)
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
	if !slices.Equal(started, want) {
		t.Errorf("got %v", started)
	}
}

func TestARequestThatNeverComesIsWaitedForAWhile(t *testing.T) {
	queue := newRequestQueue(time.Millisecond)
	started := make(chan int, 3)
	first := queue.enter(numbered(t, 1))
	var all sync.WaitGroup
	for _, number := range []int{5, 3} {
		all.Add(1)
		go func() {
			defer all.Done()
			leave := queue.enter(numbered(t, number))
			started <- number
			leave()
		}()
	}
	// No request is given up while another one has entered.
	for waiting := 0; waiting < 2; {
		queue.mu.Lock()
		waiting = len(queue.waiting)
		queue.mu.Unlock()
	}
	if len(started) != 0 {
		t.Error("one has started out of order")
	}
	first()
	all.Wait()
	if a, b := <-started, <-started; a != 3 || b != 5 {
		t.Errorf("got %d, %d", a, b)
	}
	// A request that comes late, or twice, does not wait.
	for _, number := range []int{2, 5} {
		queue.enter(numbered(t, number))()
	}
	queue.enter(numbered(t, 6))()
}
