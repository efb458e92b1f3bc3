// A client of CRI that connects as kubelet does: with grpc-go, in the messages of a descriptor.
//
//	cri SOCKET DESCRIPTOR < REQUESTS
//
// Each line of REQUESTS is {"method": "SERVICE/METHOD", "request": {…}}. Each line of the output is
// one answer: {"replies": […]}, or {"code": …, "message": …} where the call failed.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// What kubelet takes.
const maxMessage = 16 << 20

type call struct {
	Method  string          `json:"method"`
	Request json.RawMessage `json:"request"`
}

type answer struct {
	Replies []json.RawMessage `json:"replies,omitempty"`
	Code    string            `json:"code,omitempty"`
	Message string            `json:"message,omitempty"`
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(socket, descriptor string) error {
	file, err := readDescriptor(descriptor)
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient("passthrough:///"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority("localhost"),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", address)
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)))
	if err != nil {
		return err
	}
	defer connection.Close()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var next call
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			return err
		}
		result, err := answerTo(connection, file, next)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
			return err
		}
	}
	return lines.Err()
}

func readDescriptor(path string) (protoreflect.FileDescriptor, error) {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(bytes, &file); err != nil {
		return nil, err
	}
	return protodesc.NewFile(&file, nil)
}

// answerTo has an error where the call could not be made; what the server answers is no error.
func answerTo(connection *grpc.ClientConn, file protoreflect.FileDescriptor, next call) (*answer, error) {
	service, name, _ := strings.Cut(next.Method, "/")
	services := file.Services().ByName(protoreflect.Name(service))
	if services == nil {
		return nil, fmt.Errorf("there is no service %s", service)
	}
	method := services.Methods().ByName(protoreflect.Name(name))
	if method == nil {
		return nil, fmt.Errorf("there is no method %s", next.Method)
	}
	request := dynamicpb.NewMessage(method.Input())
	if err := protojson.Unmarshal(next.Request, request); err != nil {
		return nil, err
	}
	replies, err := exchange(connection, method, request)
	if err != nil {
		failure, ok := status.FromError(err)
		if !ok {
			return nil, err
		}
		return &answer{Code: failure.Code().String(), Message: failure.Message()}, nil
	}
	return &answer{Replies: replies}, nil
}

func exchange(connection *grpc.ClientConn, method protoreflect.MethodDescriptor, request proto.Message) ([]json.RawMessage, error) {
	path := fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
	shape := &grpc.StreamDesc{ServerStreams: method.IsStreamingServer()}
	stream, err := connection.NewStream(context.Background(), shape, path)
	if err != nil {
		return nil, err
	}
	if err := stream.SendMsg(request); err != nil {
		return nil, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	replies := []json.RawMessage{}
	for {
		reply := dynamicpb.NewMessage(method.Output())
		if err := stream.RecvMsg(reply); errors.Is(err, io.EOF) {
			return replies, nil
		} else if err != nil {
			return nil, err
		}
		text, err := protojson.Marshal(reply)
		if err != nil {
			return nil, err
		}
		replies = append(replies, text)
		if !shape.ServerStreams {
			return replies, nil
		}
	}
}
