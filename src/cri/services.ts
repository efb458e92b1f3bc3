/**
 * The two services of CRI. A method that is left out answers that it is not implemented.
 *
 * @module
 */
import type { ServiceImpl } from '@connectrpc/connect';
import type { ImageServiceType, RuntimeServiceType } from './api/services.ts';
import type { CriHost } from './host.ts';
import { imageFsInfo } from './images/image-fs-info.ts';
import { imageStatus } from './images/image-status.ts';
import { listImages, streamImages } from './images/list-images.ts';
import { pullImage } from './images/pull-image.ts';
import { removeImage } from './images/remove-image.ts';
import { PodCidr, runtimeConfig } from './runtime/config.ts';
import { status } from './runtime/status.ts';
import { version } from './runtime/version.ts';

export interface CriServices {
  readonly runtime: Partial<ServiceImpl<RuntimeServiceType>>;
  readonly images: Partial<ServiceImpl<ImageServiceType>>;
}

export function criServices(rt: CriHost, release: string): CriServices {
  const podCidr = new PodCidr();
  return {
    runtime: {
      version: () => version(release),
      status: ({ verbose }) => status(verbose, podCidr),
      runtimeConfig,
      updateRuntimeConfig: (request) => podCidr.update(request),
    },
    images: {
      listImages: (request) => listImages(rt, request),
      streamImages: (request) => streamImages(rt, request),
      imageStatus: (request) => imageStatus(rt, request),
      pullImage: (request, { signal }) => pullImage(rt, request, signal),
      removeImage: (request) => removeImage(rt, request),
      imageFsInfo: () => imageFsInfo(rt),
    },
  };
}
