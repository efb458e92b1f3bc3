package server

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/stream"
)

// containersPath begins the paths of the containers of a pod.
const containersPath = "/v1/containers/"

// containerRoutes are the routes that each container has too, by what follows the version.
var containerRoutes = []string{"state", "processes", "top", "stats", "resources", "files", "shares"}

// ofContainers says whether containers have a route of a box.
func ofContainers(path string) bool {
	kind, _, _ := strings.Cut(strings.TrimPrefix(path, "/v1/"), "/")
	return slices.Contains(containerRoutes, kind)
}

// inContainer takes a path that is below that of a container apart: into the path that a box has
// for the same, and the container's id. The id is empty for any other path.
func inContainer(path string) (own, container string) {
	below, found := strings.CutPrefix(path, containersPath)
	if !found {
		return path, ""
	}
	container, own, found = strings.Cut(below, "/")
	if !found || !isID(container) {
		return path, ""
	}
	return "/v1/" + own, container
}

// containers has a server for each container of a pod, with a queue of its own: a container that is
// slow to set up, or to remove, holds up no other.
type containers struct {
	mu      sync.Mutex
	servers map[string]*Server
}

// get returns the server of a container.
func (c *containers) get(id string) (*Server, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.servers[id]; s != nil {
		return s, nil
	}
	return nil, box.ErrNoContainer
}

// getOrMake returns the server of a container, which is made if there is none.
func (s *Server) getOrMake(id string) (*Server, error) {
	s.containers.mu.Lock()
	defer s.containers.mu.Unlock()
	if made := s.containers.servers[id]; made != nil {
		return made, nil
	}
	container, err := s.Box.NewContainer(id)
	if err != nil {
		return nil, err
	}
	made := &Server{Box: container, Version: s.Version, queue: newRequestQueue()}
	if s.Confidential != nil {
		made.container = s.Confidential.Container(container)
		made.Confidential = made.container
	}
	if s.containers.servers == nil {
		s.containers.servers = map[string]*Server{}
	}
	s.containers.servers[id] = made
	return made, nil
}

func (s *Server) takePod(body []byte) (reply, error) { return specTaken(s.Box.TakePod(body)) }

// takeContainer sets a container up in the order of its own requests, and after the pod's set-up.
func (s *Server) takeContainer(t stream.Stream, body []byte, id string) {
	of, err := s.getOrMake(id)
	if err != nil {
		writeError(t, err)
		return
	}
	pod := s.queue.settled()
	if !of.queue.setUp(func() {
		wait(pod)
		give(t)(specTaken(of.takeOwn(body)))
	}) {
		writeError(t, errBusy)
	}
}

// takeOwn takes the spec of a container, or in a confidential pod the request for one.
func (s *Server) takeOwn(body []byte) (digest string, err error) {
	if s.container != nil {
		return s.container.TakeContainer(body)
	}
	return s.Box.TakeContainer(body)
}

// removeContainer waits for the set-up of the container, and for the end of its processes.
func (s *Server) removeContainer(t stream.Stream, _ []byte, id string) {
	of, err := s.containers.get(id)
	if err != nil {
		writeError(t, err)
		return
	}
	go func() {
		wait(of.queue.settled())
		err := s.Box.RemoveContainer(id)
		// Another request removes it.
		if !errors.Is(err, box.ErrStopping) && !errors.Is(err, box.ErrNoContainer) {
			if of.container != nil {
				err = errors.Join(err, of.container.Leave())
			}
			of.queue.close()
			s.containers.mu.Lock()
			delete(s.containers.servers, id)
			s.containers.mu.Unlock()
		}
		give(t)(nothing, err)
	}()
}

func (s *Server) listContainers(t stream.Stream, _ []byte, _ string) {
	if s.Box.Paused() {
		writeError(t, box.ErrPaused)
		return
	}
	to := append(make([]byte, 0, 4<<10), `{"containers":[`...)
	for index, container := range s.Box.Containers() {
		to = appendText(append(separate(to, index), `{"id":`...), container.ContainerID())
		to = append(appendState(append(to, ','), container), '}')
	}
	writeJSON(t, reply{200, append(to, "]}"...)})
}
