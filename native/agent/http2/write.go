package http2

// trier is a connection that can be written to without waiting. It returns how much it took; the
// rest is written again, so an error may wait until then.
type trier interface {
	TryWrite(data []byte) int
}

// send has frames written, and does not wait for that.
func (c *connection) send(frames []byte) {
	c.mu.Lock()
	c.queue(frames)
	mine := !c.writing && !c.ended
	c.writing = c.writing || mine
	c.mu.Unlock()
	if mine {
		c.write(true)
	}
}

// queue leaves frames to the goroutine that writes. The caller holds the lock, and makes sure that
// one does.
func (c *connection) queue(frames []byte) {
	if c.ended {
		return
	}
	c.queued = append(c.queued, frames...)
	if len(c.queued) > maxQueued {
		// The client asks and does not listen. Its reader and writers find out by errors.
		c.ended = true
		c.changed.Broadcast()
		_ = c.net.Close()
	}
}

// holdBack claims the connection's writer role. False: another goroutine has it.
func (c *connection) holdBack() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	mine := !c.writing && !c.ended
	c.writing = c.writing || mine
	return mine
}

// write empties the queue for the caller, which has the writer role, and gives the role up.
// `promptly`: bytes that cannot be written at once are left to another goroutine.
func (c *connection) write(promptly bool) {
	for {
		c.mu.Lock()
		if len(c.queued) == 0 || c.ended {
			c.writing = false
			c.changed.Broadcast()
			c.mu.Unlock()
			return
		}
		data := c.queued
		c.queued, c.standby = c.standby[:0], nil
		c.mu.Unlock()
		taken := 0
		if promptly {
			if t, ok := c.net.(trier); ok {
				taken = t.TryWrite(data)
			}
			if taken < len(data) {
				go func() {
					if c.writeAll(data[taken:]) {
						c.write(false)
					}
				}()
				return
			}
		} else if !c.writeAll(data) {
			return
		}
		c.mu.Lock()
		c.standby = data[:0]
		c.mu.Unlock()
	}
}

// writeAll waits for as long as it takes. An error ends the connection.
func (c *connection) writeAll(data []byte) bool {
	if _, err := c.net.Write(data); err != nil {
		c.end()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.writing = false
		c.changed.Broadcast()
		return false
	}
	return true
}

// drained waits until nothing is left to be written.
func (c *connection) drained() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.ended && (c.writing || len(c.queued) > 0) {
		c.changed.Wait()
	}
}
