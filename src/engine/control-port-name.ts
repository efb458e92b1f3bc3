/**
 * The name of the virtio-serial port of the control stream, as the guest protocol says.
 *
 * @module
 */
export const CONTROL_PORT = 'a3s.control';
