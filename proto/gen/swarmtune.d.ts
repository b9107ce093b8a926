import * as $protobuf from "protobufjs";
import Long = require("long");

/** Namespace swarmtune. */
export namespace swarmtune {

    /** Namespace v1. */
    namespace v1 {

        /** DataType enum. */
        enum DataType {

            /** DATA_TYPE_UNSPECIFIED value */
            DATA_TYPE_UNSPECIFIED = 0,

            /** FLOAT32 value */
            FLOAT32 = 1,

            /** INT64 value */
            INT64 = 2,

            /** INT32 value */
            INT32 = 3
        }

        /** Codec enum. */
        enum Codec {

            /** RAW value */
            RAW = 0,

            /** FP16 value */
            FP16 = 1,

            /** BF16 value */
            BF16 = 2,

            /** INT8 value */
            INT8 = 3
        }

        /**
         * Properties of a TensorHeader.
         * @deprecated Use swarmtune.v1.TensorHeader.$Properties instead.
         */
        interface ITensorHeader extends swarmtune.v1.TensorHeader.$Properties {
        }

        /** Represents a TensorHeader. */
        class TensorHeader {

            /**
             * Constructs a new TensorHeader.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.TensorHeader.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** TensorHeader name. */
            name: string;

            /** TensorHeader dtype. */
            dtype: swarmtune.v1.DataType;

            /** TensorHeader shape. */
            shape: number[];

            /** TensorHeader codec. */
            codec: swarmtune.v1.Codec;

            /** TensorHeader byteLength. */
            byteLength: number;

            /**
             * Creates a new TensorHeader instance using the specified properties.
             * @param [properties] Properties to set
             * @returns TensorHeader instance
             */
            static create(properties: swarmtune.v1.TensorHeader.$Shape): swarmtune.v1.TensorHeader & swarmtune.v1.TensorHeader.$Shape;
            static create(properties?: swarmtune.v1.TensorHeader.$Properties): swarmtune.v1.TensorHeader;

            /**
             * Encodes the specified TensorHeader message. Does not implicitly {@link swarmtune.v1.TensorHeader.verify|verify} messages.
             * @param message TensorHeader message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.TensorHeader.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a TensorHeader message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.TensorHeader & swarmtune.v1.TensorHeader.$Shape} TensorHeader
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.TensorHeader & swarmtune.v1.TensorHeader.$Shape;

            /**
             * Creates a TensorHeader message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns TensorHeader
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.TensorHeader;

            /**
             * Creates a plain object from a TensorHeader message. Also converts values to other types if specified.
             * @param message TensorHeader
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.TensorHeader, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this TensorHeader to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace TensorHeader {

            /** Properties of a TensorHeader. */
            interface $Properties {

                /** TensorHeader name */
                name?: (string|null);

                /** TensorHeader dtype */
                dtype?: (swarmtune.v1.DataType|null);

                /** TensorHeader shape */
                shape?: (number[]|null);

                /** TensorHeader codec */
                codec?: (swarmtune.v1.Codec|null);

                /** TensorHeader byteLength */
                byteLength?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a TensorHeader. */
            type $Shape = swarmtune.v1.TensorHeader.$Properties;
        }

        /**
         * Properties of a Frame.
         * @deprecated Use swarmtune.v1.Frame.$Properties instead.
         */
        interface IFrame extends swarmtune.v1.Frame.$Properties {
        }

        /** Represents a Frame. */
        class Frame {

            /**
             * Constructs a new Frame.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.Frame.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Frame tensors. */
            tensors: swarmtune.v1.TensorHeader.$Properties[];

            /** Frame failure. */
            failure?: (swarmtune.v1.Failure.$Properties|null);

            /** Frame infoRequest. */
            infoRequest?: (swarmtune.v1.InfoRequest.$Properties|null);

            /** Frame infoResponse. */
            infoResponse?: (swarmtune.v1.InfoResponse.$Properties|null);

            /** Frame directoryRequest. */
            directoryRequest?: (swarmtune.v1.DirectoryRequest.$Properties|null);

            /** Frame directoryResponse. */
            directoryResponse?: (swarmtune.v1.DirectoryResponse.$Properties|null);

            /** Frame forwardRequest. */
            forwardRequest?: (swarmtune.v1.ForwardRequest.$Properties|null);

            /** Frame forwardResponse. */
            forwardResponse?: (swarmtune.v1.ForwardResponse.$Properties|null);

            /** Frame backwardRequest. */
            backwardRequest?: (swarmtune.v1.BackwardRequest.$Properties|null);

            /** Frame backwardResponse. */
            backwardResponse?: (swarmtune.v1.BackwardResponse.$Properties|null);

            /** Frame inferenceOpen. */
            inferenceOpen?: (swarmtune.v1.InferenceOpen.$Properties|null);

            /** Frame inferenceReady. */
            inferenceReady?: (swarmtune.v1.InferenceReady.$Properties|null);

            /** Frame inferenceStep. */
            inferenceStep?: (swarmtune.v1.InferenceStep.$Properties|null);

            /** Frame inferenceResult. */
            inferenceResult?: (swarmtune.v1.InferenceResult.$Properties|null);

            /** Frame tensorsRequest. */
            tensorsRequest?: (swarmtune.v1.TensorsRequest.$Properties|null);

            /** Frame tensorsResponse. */
            tensorsResponse?: (swarmtune.v1.TensorsResponse.$Properties|null);

            /** Frame inferenceRoute. */
            inferenceRoute?: (swarmtune.v1.InferenceRoute.$Properties|null);

            /** Frame inferenceNotice. */
            inferenceNotice?: (swarmtune.v1.InferenceNotice.$Properties|null);

            /** Frame pushOpen. */
            pushOpen?: (swarmtune.v1.PushOpen.$Properties|null);

            /** Frame probeRequest. */
            probeRequest?: (swarmtune.v1.ProbeRequest.$Properties|null);

            /** Frame probeResponse. */
            probeResponse?: (swarmtune.v1.ProbeResponse.$Properties|null);

            /** Frame body. */
            body?: ("failure"|"infoRequest"|"infoResponse"|"directoryRequest"|"directoryResponse"|"forwardRequest"|"forwardResponse"|"backwardRequest"|"backwardResponse"|"inferenceOpen"|"inferenceReady"|"inferenceStep"|"inferenceResult"|"tensorsRequest"|"tensorsResponse"|"inferenceRoute"|"inferenceNotice"|"pushOpen"|"probeRequest"|"probeResponse");

            /**
             * Creates a new Frame instance using the specified properties.
             * @param [properties] Properties to set
             * @returns Frame instance
             */
            static create(properties: swarmtune.v1.Frame.$Shape): swarmtune.v1.Frame & swarmtune.v1.Frame.$Shape;
            static create(properties?: swarmtune.v1.Frame.$Properties): swarmtune.v1.Frame;

            /**
             * Encodes the specified Frame message. Does not implicitly {@link swarmtune.v1.Frame.verify|verify} messages.
             * @param message Frame message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.Frame.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Frame message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.Frame & swarmtune.v1.Frame.$Shape} Frame
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.Frame & swarmtune.v1.Frame.$Shape;

            /**
             * Creates a Frame message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns Frame
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.Frame;

            /**
             * Creates a plain object from a Frame message. Also converts values to other types if specified.
             * @param message Frame
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.Frame, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this Frame to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace Frame {

            /** Properties of a Frame. */
            interface $Properties {

                /** Frame tensors */
                tensors?: (swarmtune.v1.TensorHeader.$Properties[]|null);

                /** Frame failure */
                failure?: (swarmtune.v1.Failure.$Properties|null);

                /** Frame infoRequest */
                infoRequest?: (swarmtune.v1.InfoRequest.$Properties|null);

                /** Frame infoResponse */
                infoResponse?: (swarmtune.v1.InfoResponse.$Properties|null);

                /** Frame directoryRequest */
                directoryRequest?: (swarmtune.v1.DirectoryRequest.$Properties|null);

                /** Frame directoryResponse */
                directoryResponse?: (swarmtune.v1.DirectoryResponse.$Properties|null);

                /** Frame forwardRequest */
                forwardRequest?: (swarmtune.v1.ForwardRequest.$Properties|null);

                /** Frame forwardResponse */
                forwardResponse?: (swarmtune.v1.ForwardResponse.$Properties|null);

                /** Frame backwardRequest */
                backwardRequest?: (swarmtune.v1.BackwardRequest.$Properties|null);

                /** Frame backwardResponse */
                backwardResponse?: (swarmtune.v1.BackwardResponse.$Properties|null);

                /** Frame inferenceOpen */
                inferenceOpen?: (swarmtune.v1.InferenceOpen.$Properties|null);

                /** Frame inferenceReady */
                inferenceReady?: (swarmtune.v1.InferenceReady.$Properties|null);

                /** Frame inferenceStep */
                inferenceStep?: (swarmtune.v1.InferenceStep.$Properties|null);

                /** Frame inferenceResult */
                inferenceResult?: (swarmtune.v1.InferenceResult.$Properties|null);

                /** Frame tensorsRequest */
                tensorsRequest?: (swarmtune.v1.TensorsRequest.$Properties|null);

                /** Frame tensorsResponse */
                tensorsResponse?: (swarmtune.v1.TensorsResponse.$Properties|null);

                /** Frame inferenceRoute */
                inferenceRoute?: (swarmtune.v1.InferenceRoute.$Properties|null);

                /** Frame inferenceNotice */
                inferenceNotice?: (swarmtune.v1.InferenceNotice.$Properties|null);

                /** Frame pushOpen */
                pushOpen?: (swarmtune.v1.PushOpen.$Properties|null);

                /** Frame probeRequest */
                probeRequest?: (swarmtune.v1.ProbeRequest.$Properties|null);

                /** Frame probeResponse */
                probeResponse?: (swarmtune.v1.ProbeResponse.$Properties|null);

                /** Frame body */
                body?: ("failure"|"infoRequest"|"infoResponse"|"directoryRequest"|"directoryResponse"|"forwardRequest"|"forwardResponse"|"backwardRequest"|"backwardResponse"|"inferenceOpen"|"inferenceReady"|"inferenceStep"|"inferenceResult"|"tensorsRequest"|"tensorsResponse"|"inferenceRoute"|"inferenceNotice"|"pushOpen"|"probeRequest"|"probeResponse");

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Narrowed shape of a Frame. */
            type $Shape = {
              tensors?: swarmtune.v1.TensorHeader.$Shape[]|null;
              failure?: swarmtune.v1.Failure.$Shape|null;
              infoRequest?: swarmtune.v1.InfoRequest.$Shape|null;
              infoResponse?: swarmtune.v1.InfoResponse.$Shape|null;
              directoryRequest?: swarmtune.v1.DirectoryRequest.$Shape|null;
              directoryResponse?: swarmtune.v1.DirectoryResponse.$Shape|null;
              forwardRequest?: swarmtune.v1.ForwardRequest.$Shape|null;
              forwardResponse?: swarmtune.v1.ForwardResponse.$Shape|null;
              backwardRequest?: swarmtune.v1.BackwardRequest.$Shape|null;
              backwardResponse?: swarmtune.v1.BackwardResponse.$Shape|null;
              inferenceOpen?: swarmtune.v1.InferenceOpen.$Shape|null;
              inferenceReady?: swarmtune.v1.InferenceReady.$Shape|null;
              inferenceStep?: swarmtune.v1.InferenceStep.$Shape|null;
              inferenceResult?: swarmtune.v1.InferenceResult.$Shape|null;
              tensorsRequest?: swarmtune.v1.TensorsRequest.$Shape|null;
              tensorsResponse?: swarmtune.v1.TensorsResponse.$Shape|null;
              inferenceRoute?: swarmtune.v1.InferenceRoute.$Shape|null;
              inferenceNotice?: swarmtune.v1.InferenceNotice.$Shape|null;
              pushOpen?: swarmtune.v1.PushOpen.$Shape|null;
              probeRequest?: swarmtune.v1.ProbeRequest.$Shape|null;
              probeResponse?: swarmtune.v1.ProbeResponse.$Shape|null;
              $unknowns?: Uint8Array[];
            } & (
              ({ body?: undefined; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "failure"; failure: swarmtune.v1.Failure.$Shape; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "infoRequest"; failure?: null; infoRequest: swarmtune.v1.InfoRequest.$Shape; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "infoResponse"; failure?: null; infoRequest?: null; infoResponse: swarmtune.v1.InfoResponse.$Shape; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "directoryRequest"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest: swarmtune.v1.DirectoryRequest.$Shape; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "directoryResponse"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse: swarmtune.v1.DirectoryResponse.$Shape; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "forwardRequest"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest: swarmtune.v1.ForwardRequest.$Shape; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "forwardResponse"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse: swarmtune.v1.ForwardResponse.$Shape; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "backwardRequest"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest: swarmtune.v1.BackwardRequest.$Shape; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "backwardResponse"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse: swarmtune.v1.BackwardResponse.$Shape; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "inferenceOpen"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen: swarmtune.v1.InferenceOpen.$Shape; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "inferenceReady"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady: swarmtune.v1.InferenceReady.$Shape; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "inferenceStep"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep: swarmtune.v1.InferenceStep.$Shape; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "inferenceResult"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult: swarmtune.v1.InferenceResult.$Shape; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "tensorsRequest"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest: swarmtune.v1.TensorsRequest.$Shape; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "tensorsResponse"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse: swarmtune.v1.TensorsResponse.$Shape; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "inferenceRoute"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute: swarmtune.v1.InferenceRoute.$Shape; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "inferenceNotice"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice: swarmtune.v1.InferenceNotice.$Shape; pushOpen?: null; probeRequest?: null; probeResponse?: null }|{ body?: "pushOpen"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen: swarmtune.v1.PushOpen.$Shape; probeRequest?: null; probeResponse?: null }|{ body?: "probeRequest"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest: swarmtune.v1.ProbeRequest.$Shape; probeResponse?: null }|{ body?: "probeResponse"; failure?: null; infoRequest?: null; infoResponse?: null; directoryRequest?: null; directoryResponse?: null; forwardRequest?: null; forwardResponse?: null; backwardRequest?: null; backwardResponse?: null; inferenceOpen?: null; inferenceReady?: null; inferenceStep?: null; inferenceResult?: null; tensorsRequest?: null; tensorsResponse?: null; inferenceRoute?: null; inferenceNotice?: null; pushOpen?: null; probeRequest?: null; probeResponse: swarmtune.v1.ProbeResponse.$Shape })
            );
        }

        /**
         * Properties of a Failure.
         * @deprecated Use swarmtune.v1.Failure.$Properties instead.
         */
        interface IFailure extends swarmtune.v1.Failure.$Properties {
        }

        /** Represents a Failure. */
        class Failure {

            /**
             * Constructs a new Failure.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.Failure.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Failure code. */
            code: string;

            /** Failure message. */
            message: string;

            /** Failure retryable. */
            retryable: boolean;

            /** Failure retryAfterMs. */
            retryAfterMs: number;

            /**
             * Creates a new Failure instance using the specified properties.
             * @param [properties] Properties to set
             * @returns Failure instance
             */
            static create(properties: swarmtune.v1.Failure.$Shape): swarmtune.v1.Failure & swarmtune.v1.Failure.$Shape;
            static create(properties?: swarmtune.v1.Failure.$Properties): swarmtune.v1.Failure;

            /**
             * Encodes the specified Failure message. Does not implicitly {@link swarmtune.v1.Failure.verify|verify} messages.
             * @param message Failure message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.Failure.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Failure message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.Failure & swarmtune.v1.Failure.$Shape} Failure
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.Failure & swarmtune.v1.Failure.$Shape;

            /**
             * Creates a Failure message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns Failure
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.Failure;

            /**
             * Creates a plain object from a Failure message. Also converts values to other types if specified.
             * @param message Failure
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.Failure, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this Failure to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace Failure {

            /** Properties of a Failure. */
            interface $Properties {

                /** Failure code */
                code?: (string|null);

                /** Failure message */
                message?: (string|null);

                /** Failure retryable */
                retryable?: (boolean|null);

                /** Failure retryAfterMs */
                retryAfterMs?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Failure. */
            type $Shape = swarmtune.v1.Failure.$Properties;
        }

        /**
         * Properties of a Span.
         * @deprecated Use swarmtune.v1.Span.$Properties instead.
         */
        interface ISpan extends swarmtune.v1.Span.$Properties {
        }

        /** Represents a Span. */
        class Span {

            /**
             * Constructs a new Span.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.Span.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Span model. */
            model: string;

            /** Span firstBlock. */
            firstBlock: number;

            /** Span endBlock. */
            endBlock: number;

            /** Span timeoutMs. */
            timeoutMs: number;

            /** Span codec. */
            codec: swarmtune.v1.Codec;

            /**
             * Creates a new Span instance using the specified properties.
             * @param [properties] Properties to set
             * @returns Span instance
             */
            static create(properties: swarmtune.v1.Span.$Shape): swarmtune.v1.Span & swarmtune.v1.Span.$Shape;
            static create(properties?: swarmtune.v1.Span.$Properties): swarmtune.v1.Span;

            /**
             * Encodes the specified Span message. Does not implicitly {@link swarmtune.v1.Span.verify|verify} messages.
             * @param message Span message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.Span.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Span message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.Span & swarmtune.v1.Span.$Shape} Span
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.Span & swarmtune.v1.Span.$Shape;

            /**
             * Creates a Span message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns Span
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.Span;

            /**
             * Creates a plain object from a Span message. Also converts values to other types if specified.
             * @param message Span
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.Span, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this Span to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace Span {

            /** Properties of a Span. */
            interface $Properties {

                /** Span model */
                model?: (string|null);

                /** Span firstBlock */
                firstBlock?: (number|null);

                /** Span endBlock */
                endBlock?: (number|null);

                /** Span timeoutMs */
                timeoutMs?: (number|null);

                /** Span codec */
                codec?: (swarmtune.v1.Codec|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Span. */
            type $Shape = swarmtune.v1.Span.$Properties;
        }

        /**
         * Properties of a Dropout.
         * @deprecated Use swarmtune.v1.Dropout.$Properties instead.
         */
        interface IDropout extends swarmtune.v1.Dropout.$Properties {
        }

        /** Represents a Dropout. */
        class Dropout {

            /**
             * Constructs a new Dropout.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.Dropout.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Dropout probability. */
            probability: number;

            /** Dropout seed. */
            seed: number;

            /**
             * Creates a new Dropout instance using the specified properties.
             * @param [properties] Properties to set
             * @returns Dropout instance
             */
            static create(properties: swarmtune.v1.Dropout.$Shape): swarmtune.v1.Dropout & swarmtune.v1.Dropout.$Shape;
            static create(properties?: swarmtune.v1.Dropout.$Properties): swarmtune.v1.Dropout;

            /**
             * Encodes the specified Dropout message. Does not implicitly {@link swarmtune.v1.Dropout.verify|verify} messages.
             * @param message Dropout message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.Dropout.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Dropout message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.Dropout & swarmtune.v1.Dropout.$Shape} Dropout
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.Dropout & swarmtune.v1.Dropout.$Shape;

            /**
             * Creates a Dropout message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns Dropout
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.Dropout;

            /**
             * Creates a plain object from a Dropout message. Also converts values to other types if specified.
             * @param message Dropout
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.Dropout, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this Dropout to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace Dropout {

            /** Properties of a Dropout. */
            interface $Properties {

                /** Dropout probability */
                probability?: (number|null);

                /** Dropout seed */
                seed?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Dropout. */
            type $Shape = swarmtune.v1.Dropout.$Properties;
        }

        /**
         * Properties of an InfoRequest.
         * @deprecated Use swarmtune.v1.InfoRequest.$Properties instead.
         */
        interface IInfoRequest extends swarmtune.v1.InfoRequest.$Properties {
        }

        /** Represents an InfoRequest. */
        class InfoRequest {

            /**
             * Constructs a new InfoRequest.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.InfoRequest.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /**
             * Creates a new InfoRequest instance using the specified properties.
             * @param [properties] Properties to set
             * @returns InfoRequest instance
             */
            static create(properties: swarmtune.v1.InfoRequest.$Shape): swarmtune.v1.InfoRequest & swarmtune.v1.InfoRequest.$Shape;
            static create(properties?: swarmtune.v1.InfoRequest.$Properties): swarmtune.v1.InfoRequest;

            /**
             * Encodes the specified InfoRequest message. Does not implicitly {@link swarmtune.v1.InfoRequest.verify|verify} messages.
             * @param message InfoRequest message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.InfoRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an InfoRequest message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.InfoRequest & swarmtune.v1.InfoRequest.$Shape} InfoRequest
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.InfoRequest & swarmtune.v1.InfoRequest.$Shape;

            /**
             * Creates an InfoRequest message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns InfoRequest
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.InfoRequest;

            /**
             * Creates a plain object from an InfoRequest message. Also converts values to other types if specified.
             * @param message InfoRequest
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.InfoRequest, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this InfoRequest to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace InfoRequest {

            /** Properties of an InfoRequest. */
            interface $Properties {

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an InfoRequest. */
            type $Shape = swarmtune.v1.InfoRequest.$Properties;
        }

        /**
         * Properties of an InfoResponse.
         * @deprecated Use swarmtune.v1.InfoResponse.$Properties instead.
         */
        interface IInfoResponse extends swarmtune.v1.InfoResponse.$Properties {
        }

        /** Represents an InfoResponse. */
        class InfoResponse {

            /**
             * Constructs a new InfoResponse.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.InfoResponse.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** InfoResponse announcement. */
            announcement: Uint8Array;

            /** InfoResponse sessions. */
            sessions: number;

            /** InfoResponse cacheBytesUsed. */
            cacheBytesUsed: number;

            /** InfoResponse cacheBytesTotal. */
            cacheBytesTotal: number;

            /** InfoResponse residualBytesUsed. */
            residualBytesUsed: number;

            /** InfoResponse residualBytesTotal. */
            residualBytesTotal: number;

            /** InfoResponse queueLength. */
            queueLength: number;

            /**
             * Creates a new InfoResponse instance using the specified properties.
             * @param [properties] Properties to set
             * @returns InfoResponse instance
             */
            static create(properties: swarmtune.v1.InfoResponse.$Shape): swarmtune.v1.InfoResponse & swarmtune.v1.InfoResponse.$Shape;
            static create(properties?: swarmtune.v1.InfoResponse.$Properties): swarmtune.v1.InfoResponse;

            /**
             * Encodes the specified InfoResponse message. Does not implicitly {@link swarmtune.v1.InfoResponse.verify|verify} messages.
             * @param message InfoResponse message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.InfoResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an InfoResponse message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.InfoResponse & swarmtune.v1.InfoResponse.$Shape} InfoResponse
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.InfoResponse & swarmtune.v1.InfoResponse.$Shape;

            /**
             * Creates an InfoResponse message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns InfoResponse
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.InfoResponse;

            /**
             * Creates a plain object from an InfoResponse message. Also converts values to other types if specified.
             * @param message InfoResponse
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.InfoResponse, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this InfoResponse to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace InfoResponse {

            /** Properties of an InfoResponse. */
            interface $Properties {

                /** InfoResponse announcement */
                announcement?: (Uint8Array|null);

                /** InfoResponse sessions */
                sessions?: (number|null);

                /** InfoResponse cacheBytesUsed */
                cacheBytesUsed?: (number|null);

                /** InfoResponse cacheBytesTotal */
                cacheBytesTotal?: (number|null);

                /** InfoResponse residualBytesUsed */
                residualBytesUsed?: (number|null);

                /** InfoResponse residualBytesTotal */
                residualBytesTotal?: (number|null);

                /** InfoResponse queueLength */
                queueLength?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an InfoResponse. */
            type $Shape = swarmtune.v1.InfoResponse.$Properties;
        }

        /**
         * Properties of a DirectoryRequest.
         * @deprecated Use swarmtune.v1.DirectoryRequest.$Properties instead.
         */
        interface IDirectoryRequest extends swarmtune.v1.DirectoryRequest.$Properties {
        }

        /** Represents a DirectoryRequest. */
        class DirectoryRequest {

            /**
             * Constructs a new DirectoryRequest.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.DirectoryRequest.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** DirectoryRequest model. */
            model: string;

            /** DirectoryRequest announcements. */
            announcements: Uint8Array[];

            /**
             * Creates a new DirectoryRequest instance using the specified properties.
             * @param [properties] Properties to set
             * @returns DirectoryRequest instance
             */
            static create(properties: swarmtune.v1.DirectoryRequest.$Shape): swarmtune.v1.DirectoryRequest & swarmtune.v1.DirectoryRequest.$Shape;
            static create(properties?: swarmtune.v1.DirectoryRequest.$Properties): swarmtune.v1.DirectoryRequest;

            /**
             * Encodes the specified DirectoryRequest message. Does not implicitly {@link swarmtune.v1.DirectoryRequest.verify|verify} messages.
             * @param message DirectoryRequest message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.DirectoryRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a DirectoryRequest message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.DirectoryRequest & swarmtune.v1.DirectoryRequest.$Shape} DirectoryRequest
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.DirectoryRequest & swarmtune.v1.DirectoryRequest.$Shape;

            /**
             * Creates a DirectoryRequest message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns DirectoryRequest
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.DirectoryRequest;

            /**
             * Creates a plain object from a DirectoryRequest message. Also converts values to other types if specified.
             * @param message DirectoryRequest
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.DirectoryRequest, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this DirectoryRequest to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace DirectoryRequest {

            /** Properties of a DirectoryRequest. */
            interface $Properties {

                /** DirectoryRequest model */
                model?: (string|null);

                /** DirectoryRequest announcements */
                announcements?: (Uint8Array[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a DirectoryRequest. */
            type $Shape = swarmtune.v1.DirectoryRequest.$Properties;
        }

        /**
         * Properties of a DirectoryResponse.
         * @deprecated Use swarmtune.v1.DirectoryResponse.$Properties instead.
         */
        interface IDirectoryResponse extends swarmtune.v1.DirectoryResponse.$Properties {
        }

        /** Represents a DirectoryResponse. */
        class DirectoryResponse {

            /**
             * Constructs a new DirectoryResponse.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.DirectoryResponse.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** DirectoryResponse announcements. */
            announcements: Uint8Array[];

            /**
             * Creates a new DirectoryResponse instance using the specified properties.
             * @param [properties] Properties to set
             * @returns DirectoryResponse instance
             */
            static create(properties: swarmtune.v1.DirectoryResponse.$Shape): swarmtune.v1.DirectoryResponse & swarmtune.v1.DirectoryResponse.$Shape;
            static create(properties?: swarmtune.v1.DirectoryResponse.$Properties): swarmtune.v1.DirectoryResponse;

            /**
             * Encodes the specified DirectoryResponse message. Does not implicitly {@link swarmtune.v1.DirectoryResponse.verify|verify} messages.
             * @param message DirectoryResponse message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.DirectoryResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a DirectoryResponse message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.DirectoryResponse & swarmtune.v1.DirectoryResponse.$Shape} DirectoryResponse
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.DirectoryResponse & swarmtune.v1.DirectoryResponse.$Shape;

            /**
             * Creates a DirectoryResponse message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns DirectoryResponse
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.DirectoryResponse;

            /**
             * Creates a plain object from a DirectoryResponse message. Also converts values to other types if specified.
             * @param message DirectoryResponse
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.DirectoryResponse, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this DirectoryResponse to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace DirectoryResponse {

            /** Properties of a DirectoryResponse. */
            interface $Properties {

                /** DirectoryResponse announcements */
                announcements?: (Uint8Array[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a DirectoryResponse. */
            type $Shape = swarmtune.v1.DirectoryResponse.$Properties;
        }

        /**
         * Properties of a ForwardRequest.
         * @deprecated Use swarmtune.v1.ForwardRequest.$Properties instead.
         */
        interface IForwardRequest extends swarmtune.v1.ForwardRequest.$Properties {
        }

        /** Represents a ForwardRequest. */
        class ForwardRequest {

            /**
             * Constructs a new ForwardRequest.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.ForwardRequest.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** ForwardRequest span. */
            span?: (swarmtune.v1.Span.$Properties|null);

            /** ForwardRequest keepResiduals. */
            keepResiduals: boolean;

            /** ForwardRequest dropout. */
            dropout?: (swarmtune.v1.Dropout.$Properties|null);

            /**
             * Creates a new ForwardRequest instance using the specified properties.
             * @param [properties] Properties to set
             * @returns ForwardRequest instance
             */
            static create(properties: swarmtune.v1.ForwardRequest.$Shape): swarmtune.v1.ForwardRequest & swarmtune.v1.ForwardRequest.$Shape;
            static create(properties?: swarmtune.v1.ForwardRequest.$Properties): swarmtune.v1.ForwardRequest;

            /**
             * Encodes the specified ForwardRequest message. Does not implicitly {@link swarmtune.v1.ForwardRequest.verify|verify} messages.
             * @param message ForwardRequest message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.ForwardRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a ForwardRequest message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.ForwardRequest & swarmtune.v1.ForwardRequest.$Shape} ForwardRequest
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.ForwardRequest & swarmtune.v1.ForwardRequest.$Shape;

            /**
             * Creates a ForwardRequest message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns ForwardRequest
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.ForwardRequest;

            /**
             * Creates a plain object from a ForwardRequest message. Also converts values to other types if specified.
             * @param message ForwardRequest
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.ForwardRequest, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this ForwardRequest to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace ForwardRequest {

            /** Properties of a ForwardRequest. */
            interface $Properties {

                /** ForwardRequest span */
                span?: (swarmtune.v1.Span.$Properties|null);

                /** ForwardRequest keepResiduals */
                keepResiduals?: (boolean|null);

                /** ForwardRequest dropout */
                dropout?: (swarmtune.v1.Dropout.$Properties|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a ForwardRequest. */
            type $Shape = swarmtune.v1.ForwardRequest.$Properties;
        }

        /**
         * Properties of a ForwardResponse.
         * @deprecated Use swarmtune.v1.ForwardResponse.$Properties instead.
         */
        interface IForwardResponse extends swarmtune.v1.ForwardResponse.$Properties {
        }

        /** Represents a ForwardResponse. */
        class ForwardResponse {

            /**
             * Constructs a new ForwardResponse.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.ForwardResponse.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** ForwardResponse residualId. */
            residualId: string;

            /**
             * Creates a new ForwardResponse instance using the specified properties.
             * @param [properties] Properties to set
             * @returns ForwardResponse instance
             */
            static create(properties: swarmtune.v1.ForwardResponse.$Shape): swarmtune.v1.ForwardResponse & swarmtune.v1.ForwardResponse.$Shape;
            static create(properties?: swarmtune.v1.ForwardResponse.$Properties): swarmtune.v1.ForwardResponse;

            /**
             * Encodes the specified ForwardResponse message. Does not implicitly {@link swarmtune.v1.ForwardResponse.verify|verify} messages.
             * @param message ForwardResponse message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.ForwardResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a ForwardResponse message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.ForwardResponse & swarmtune.v1.ForwardResponse.$Shape} ForwardResponse
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.ForwardResponse & swarmtune.v1.ForwardResponse.$Shape;

            /**
             * Creates a ForwardResponse message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns ForwardResponse
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.ForwardResponse;

            /**
             * Creates a plain object from a ForwardResponse message. Also converts values to other types if specified.
             * @param message ForwardResponse
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.ForwardResponse, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this ForwardResponse to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace ForwardResponse {

            /** Properties of a ForwardResponse. */
            interface $Properties {

                /** ForwardResponse residualId */
                residualId?: (string|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a ForwardResponse. */
            type $Shape = swarmtune.v1.ForwardResponse.$Properties;
        }

        /**
         * Properties of a BackwardRequest.
         * @deprecated Use swarmtune.v1.BackwardRequest.$Properties instead.
         */
        interface IBackwardRequest extends swarmtune.v1.BackwardRequest.$Properties {
        }

        /** Represents a BackwardRequest. */
        class BackwardRequest {

            /**
             * Constructs a new BackwardRequest.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.BackwardRequest.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** BackwardRequest span. */
            span?: (swarmtune.v1.Span.$Properties|null);

            /** BackwardRequest residualId. */
            residualId: string;

            /** BackwardRequest dropout. */
            dropout?: (swarmtune.v1.Dropout.$Properties|null);

            /**
             * Creates a new BackwardRequest instance using the specified properties.
             * @param [properties] Properties to set
             * @returns BackwardRequest instance
             */
            static create(properties: swarmtune.v1.BackwardRequest.$Shape): swarmtune.v1.BackwardRequest & swarmtune.v1.BackwardRequest.$Shape;
            static create(properties?: swarmtune.v1.BackwardRequest.$Properties): swarmtune.v1.BackwardRequest;

            /**
             * Encodes the specified BackwardRequest message. Does not implicitly {@link swarmtune.v1.BackwardRequest.verify|verify} messages.
             * @param message BackwardRequest message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.BackwardRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a BackwardRequest message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.BackwardRequest & swarmtune.v1.BackwardRequest.$Shape} BackwardRequest
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.BackwardRequest & swarmtune.v1.BackwardRequest.$Shape;

            /**
             * Creates a BackwardRequest message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns BackwardRequest
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.BackwardRequest;

            /**
             * Creates a plain object from a BackwardRequest message. Also converts values to other types if specified.
             * @param message BackwardRequest
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.BackwardRequest, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this BackwardRequest to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace BackwardRequest {

            /** Properties of a BackwardRequest. */
            interface $Properties {

                /** BackwardRequest span */
                span?: (swarmtune.v1.Span.$Properties|null);

                /** BackwardRequest residualId */
                residualId?: (string|null);

                /** BackwardRequest dropout */
                dropout?: (swarmtune.v1.Dropout.$Properties|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a BackwardRequest. */
            type $Shape = swarmtune.v1.BackwardRequest.$Properties;
        }

        /**
         * Properties of a BackwardResponse.
         * @deprecated Use swarmtune.v1.BackwardResponse.$Properties instead.
         */
        interface IBackwardResponse extends swarmtune.v1.BackwardResponse.$Properties {
        }

        /** Represents a BackwardResponse. */
        class BackwardResponse {

            /**
             * Constructs a new BackwardResponse.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.BackwardResponse.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /**
             * Creates a new BackwardResponse instance using the specified properties.
             * @param [properties] Properties to set
             * @returns BackwardResponse instance
             */
            static create(properties: swarmtune.v1.BackwardResponse.$Shape): swarmtune.v1.BackwardResponse & swarmtune.v1.BackwardResponse.$Shape;
            static create(properties?: swarmtune.v1.BackwardResponse.$Properties): swarmtune.v1.BackwardResponse;

            /**
             * Encodes the specified BackwardResponse message. Does not implicitly {@link swarmtune.v1.BackwardResponse.verify|verify} messages.
             * @param message BackwardResponse message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.BackwardResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a BackwardResponse message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.BackwardResponse & swarmtune.v1.BackwardResponse.$Shape} BackwardResponse
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.BackwardResponse & swarmtune.v1.BackwardResponse.$Shape;

            /**
             * Creates a BackwardResponse message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns BackwardResponse
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.BackwardResponse;

            /**
             * Creates a plain object from a BackwardResponse message. Also converts values to other types if specified.
             * @param message BackwardResponse
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.BackwardResponse, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this BackwardResponse to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace BackwardResponse {

            /** Properties of a BackwardResponse. */
            interface $Properties {

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a BackwardResponse. */
            type $Shape = swarmtune.v1.BackwardResponse.$Properties;
        }

        /**
         * Properties of an InferenceOpen.
         * @deprecated Use swarmtune.v1.InferenceOpen.$Properties instead.
         */
        interface IInferenceOpen extends swarmtune.v1.InferenceOpen.$Properties {
        }

        /** Represents an InferenceOpen. */
        class InferenceOpen {

            /**
             * Constructs a new InferenceOpen.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.InferenceOpen.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** InferenceOpen span. */
            span?: (swarmtune.v1.Span.$Properties|null);

            /** InferenceOpen batch. */
            batch: number;

            /** InferenceOpen maxLength. */
            maxLength: number;

            /** InferenceOpen session. */
            session: Uint8Array;

            /** InferenceOpen previous. */
            previous: string;

            /** InferenceOpen next. */
            next?: (swarmtune.v1.NextHop.$Properties|null);

            /** InferenceOpen portsHash. */
            portsHash: Uint8Array;

            /**
             * Creates a new InferenceOpen instance using the specified properties.
             * @param [properties] Properties to set
             * @returns InferenceOpen instance
             */
            static create(properties: swarmtune.v1.InferenceOpen.$Shape): swarmtune.v1.InferenceOpen & swarmtune.v1.InferenceOpen.$Shape;
            static create(properties?: swarmtune.v1.InferenceOpen.$Properties): swarmtune.v1.InferenceOpen;

            /**
             * Encodes the specified InferenceOpen message. Does not implicitly {@link swarmtune.v1.InferenceOpen.verify|verify} messages.
             * @param message InferenceOpen message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.InferenceOpen.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an InferenceOpen message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.InferenceOpen & swarmtune.v1.InferenceOpen.$Shape} InferenceOpen
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.InferenceOpen & swarmtune.v1.InferenceOpen.$Shape;

            /**
             * Creates an InferenceOpen message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns InferenceOpen
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.InferenceOpen;

            /**
             * Creates a plain object from an InferenceOpen message. Also converts values to other types if specified.
             * @param message InferenceOpen
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.InferenceOpen, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this InferenceOpen to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace InferenceOpen {

            /** Properties of an InferenceOpen. */
            interface $Properties {

                /** InferenceOpen span */
                span?: (swarmtune.v1.Span.$Properties|null);

                /** InferenceOpen batch */
                batch?: (number|null);

                /** InferenceOpen maxLength */
                maxLength?: (number|null);

                /** InferenceOpen session */
                session?: (Uint8Array|null);

                /** InferenceOpen previous */
                previous?: (string|null);

                /** InferenceOpen next */
                next?: (swarmtune.v1.NextHop.$Properties|null);

                /** InferenceOpen portsHash */
                portsHash?: (Uint8Array|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an InferenceOpen. */
            type $Shape = swarmtune.v1.InferenceOpen.$Properties;
        }

        /**
         * Properties of a NextHop.
         * @deprecated Use swarmtune.v1.NextHop.$Properties instead.
         */
        interface INextHop extends swarmtune.v1.NextHop.$Properties {
        }

        /** Represents a NextHop. */
        class NextHop {

            /**
             * Constructs a new NextHop.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.NextHop.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** NextHop peerId. */
            peerId: string;

            /** NextHop announcement. */
            announcement: Uint8Array;

            /** NextHop replay. */
            replay: boolean;

            /**
             * Creates a new NextHop instance using the specified properties.
             * @param [properties] Properties to set
             * @returns NextHop instance
             */
            static create(properties: swarmtune.v1.NextHop.$Shape): swarmtune.v1.NextHop & swarmtune.v1.NextHop.$Shape;
            static create(properties?: swarmtune.v1.NextHop.$Properties): swarmtune.v1.NextHop;

            /**
             * Encodes the specified NextHop message. Does not implicitly {@link swarmtune.v1.NextHop.verify|verify} messages.
             * @param message NextHop message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.NextHop.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a NextHop message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.NextHop & swarmtune.v1.NextHop.$Shape} NextHop
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.NextHop & swarmtune.v1.NextHop.$Shape;

            /**
             * Creates a NextHop message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns NextHop
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.NextHop;

            /**
             * Creates a plain object from a NextHop message. Also converts values to other types if specified.
             * @param message NextHop
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.NextHop, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this NextHop to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace NextHop {

            /** Properties of a NextHop. */
            interface $Properties {

                /** NextHop peerId */
                peerId?: (string|null);

                /** NextHop announcement */
                announcement?: (Uint8Array|null);

                /** NextHop replay */
                replay?: (boolean|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a NextHop. */
            type $Shape = swarmtune.v1.NextHop.$Properties;
        }

        /**
         * Properties of an InferenceReady.
         * @deprecated Use swarmtune.v1.InferenceReady.$Properties instead.
         */
        interface IInferenceReady extends swarmtune.v1.InferenceReady.$Properties {
        }

        /** Represents an InferenceReady. */
        class InferenceReady {

            /**
             * Constructs a new InferenceReady.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.InferenceReady.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** InferenceReady cacheBytes. */
            cacheBytes: number;

            /** InferenceReady portsHash. */
            portsHash: Uint8Array;

            /**
             * Creates a new InferenceReady instance using the specified properties.
             * @param [properties] Properties to set
             * @returns InferenceReady instance
             */
            static create(properties: swarmtune.v1.InferenceReady.$Shape): swarmtune.v1.InferenceReady & swarmtune.v1.InferenceReady.$Shape;
            static create(properties?: swarmtune.v1.InferenceReady.$Properties): swarmtune.v1.InferenceReady;

            /**
             * Encodes the specified InferenceReady message. Does not implicitly {@link swarmtune.v1.InferenceReady.verify|verify} messages.
             * @param message InferenceReady message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.InferenceReady.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an InferenceReady message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.InferenceReady & swarmtune.v1.InferenceReady.$Shape} InferenceReady
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.InferenceReady & swarmtune.v1.InferenceReady.$Shape;

            /**
             * Creates an InferenceReady message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns InferenceReady
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.InferenceReady;

            /**
             * Creates a plain object from an InferenceReady message. Also converts values to other types if specified.
             * @param message InferenceReady
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.InferenceReady, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this InferenceReady to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace InferenceReady {

            /** Properties of an InferenceReady. */
            interface $Properties {

                /** InferenceReady cacheBytes */
                cacheBytes?: (number|null);

                /** InferenceReady portsHash */
                portsHash?: (Uint8Array|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an InferenceReady. */
            type $Shape = swarmtune.v1.InferenceReady.$Properties;
        }

        /**
         * Properties of an InferenceStep.
         * @deprecated Use swarmtune.v1.InferenceStep.$Properties instead.
         */
        interface IInferenceStep extends swarmtune.v1.InferenceStep.$Properties {
        }

        /** Represents an InferenceStep. */
        class InferenceStep {

            /**
             * Constructs a new InferenceStep.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.InferenceStep.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** InferenceStep timeoutMs. */
            timeoutMs: number;

            /** InferenceStep step. */
            step: number;

            /** InferenceStep lastOnly. */
            lastOnly: boolean;

            /** InferenceStep replay. */
            replay: boolean;

            /**
             * Creates a new InferenceStep instance using the specified properties.
             * @param [properties] Properties to set
             * @returns InferenceStep instance
             */
            static create(properties: swarmtune.v1.InferenceStep.$Shape): swarmtune.v1.InferenceStep & swarmtune.v1.InferenceStep.$Shape;
            static create(properties?: swarmtune.v1.InferenceStep.$Properties): swarmtune.v1.InferenceStep;

            /**
             * Encodes the specified InferenceStep message. Does not implicitly {@link swarmtune.v1.InferenceStep.verify|verify} messages.
             * @param message InferenceStep message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.InferenceStep.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an InferenceStep message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.InferenceStep & swarmtune.v1.InferenceStep.$Shape} InferenceStep
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.InferenceStep & swarmtune.v1.InferenceStep.$Shape;

            /**
             * Creates an InferenceStep message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns InferenceStep
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.InferenceStep;

            /**
             * Creates a plain object from an InferenceStep message. Also converts values to other types if specified.
             * @param message InferenceStep
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.InferenceStep, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this InferenceStep to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace InferenceStep {

            /** Properties of an InferenceStep. */
            interface $Properties {

                /** InferenceStep timeoutMs */
                timeoutMs?: (number|null);

                /** InferenceStep step */
                step?: (number|null);

                /** InferenceStep lastOnly */
                lastOnly?: (boolean|null);

                /** InferenceStep replay */
                replay?: (boolean|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an InferenceStep. */
            type $Shape = swarmtune.v1.InferenceStep.$Properties;
        }

        /**
         * Properties of an InferenceResult.
         * @deprecated Use swarmtune.v1.InferenceResult.$Properties instead.
         */
        interface IInferenceResult extends swarmtune.v1.InferenceResult.$Properties {
        }

        /** Represents an InferenceResult. */
        class InferenceResult {

            /**
             * Constructs a new InferenceResult.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.InferenceResult.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** InferenceResult step. */
            step: number;

            /**
             * Creates a new InferenceResult instance using the specified properties.
             * @param [properties] Properties to set
             * @returns InferenceResult instance
             */
            static create(properties: swarmtune.v1.InferenceResult.$Shape): swarmtune.v1.InferenceResult & swarmtune.v1.InferenceResult.$Shape;
            static create(properties?: swarmtune.v1.InferenceResult.$Properties): swarmtune.v1.InferenceResult;

            /**
             * Encodes the specified InferenceResult message. Does not implicitly {@link swarmtune.v1.InferenceResult.verify|verify} messages.
             * @param message InferenceResult message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.InferenceResult.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an InferenceResult message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.InferenceResult & swarmtune.v1.InferenceResult.$Shape} InferenceResult
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.InferenceResult & swarmtune.v1.InferenceResult.$Shape;

            /**
             * Creates an InferenceResult message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns InferenceResult
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.InferenceResult;

            /**
             * Creates a plain object from an InferenceResult message. Also converts values to other types if specified.
             * @param message InferenceResult
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.InferenceResult, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this InferenceResult to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace InferenceResult {

            /** Properties of an InferenceResult. */
            interface $Properties {

                /** InferenceResult step */
                step?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an InferenceResult. */
            type $Shape = swarmtune.v1.InferenceResult.$Properties;
        }

        /**
         * Properties of an InferenceRoute.
         * @deprecated Use swarmtune.v1.InferenceRoute.$Properties instead.
         */
        interface IInferenceRoute extends swarmtune.v1.InferenceRoute.$Properties {
        }

        /** Represents an InferenceRoute. */
        class InferenceRoute {

            /**
             * Constructs a new InferenceRoute.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.InferenceRoute.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** InferenceRoute previous. */
            previous: string;

            /** InferenceRoute next. */
            next?: (swarmtune.v1.NextHop.$Properties|null);

            /** InferenceRoute replay. */
            replay: boolean;

            /** InferenceRoute keepNext. */
            keepNext: boolean;

            /**
             * Creates a new InferenceRoute instance using the specified properties.
             * @param [properties] Properties to set
             * @returns InferenceRoute instance
             */
            static create(properties: swarmtune.v1.InferenceRoute.$Shape): swarmtune.v1.InferenceRoute & swarmtune.v1.InferenceRoute.$Shape;
            static create(properties?: swarmtune.v1.InferenceRoute.$Properties): swarmtune.v1.InferenceRoute;

            /**
             * Encodes the specified InferenceRoute message. Does not implicitly {@link swarmtune.v1.InferenceRoute.verify|verify} messages.
             * @param message InferenceRoute message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.InferenceRoute.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an InferenceRoute message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.InferenceRoute & swarmtune.v1.InferenceRoute.$Shape} InferenceRoute
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.InferenceRoute & swarmtune.v1.InferenceRoute.$Shape;

            /**
             * Creates an InferenceRoute message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns InferenceRoute
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.InferenceRoute;

            /**
             * Creates a plain object from an InferenceRoute message. Also converts values to other types if specified.
             * @param message InferenceRoute
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.InferenceRoute, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this InferenceRoute to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace InferenceRoute {

            /** Properties of an InferenceRoute. */
            interface $Properties {

                /** InferenceRoute previous */
                previous?: (string|null);

                /** InferenceRoute next */
                next?: (swarmtune.v1.NextHop.$Properties|null);

                /** InferenceRoute replay */
                replay?: (boolean|null);

                /** InferenceRoute keepNext */
                keepNext?: (boolean|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an InferenceRoute. */
            type $Shape = swarmtune.v1.InferenceRoute.$Properties;
        }

        /**
         * Properties of an InferenceNotice.
         * @deprecated Use swarmtune.v1.InferenceNotice.$Properties instead.
         */
        interface IInferenceNotice extends swarmtune.v1.InferenceNotice.$Properties {
        }

        /** Represents an InferenceNotice. */
        class InferenceNotice {

            /**
             * Constructs a new InferenceNotice.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.InferenceNotice.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** InferenceNotice code. */
            code: string;

            /** InferenceNotice message. */
            message: string;

            /** InferenceNotice step. */
            step: number;

            /**
             * Creates a new InferenceNotice instance using the specified properties.
             * @param [properties] Properties to set
             * @returns InferenceNotice instance
             */
            static create(properties: swarmtune.v1.InferenceNotice.$Shape): swarmtune.v1.InferenceNotice & swarmtune.v1.InferenceNotice.$Shape;
            static create(properties?: swarmtune.v1.InferenceNotice.$Properties): swarmtune.v1.InferenceNotice;

            /**
             * Encodes the specified InferenceNotice message. Does not implicitly {@link swarmtune.v1.InferenceNotice.verify|verify} messages.
             * @param message InferenceNotice message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.InferenceNotice.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an InferenceNotice message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.InferenceNotice & swarmtune.v1.InferenceNotice.$Shape} InferenceNotice
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.InferenceNotice & swarmtune.v1.InferenceNotice.$Shape;

            /**
             * Creates an InferenceNotice message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns InferenceNotice
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.InferenceNotice;

            /**
             * Creates a plain object from an InferenceNotice message. Also converts values to other types if specified.
             * @param message InferenceNotice
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.InferenceNotice, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this InferenceNotice to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace InferenceNotice {

            /** Properties of an InferenceNotice. */
            interface $Properties {

                /** InferenceNotice code */
                code?: (string|null);

                /** InferenceNotice message */
                message?: (string|null);

                /** InferenceNotice step */
                step?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an InferenceNotice. */
            type $Shape = swarmtune.v1.InferenceNotice.$Properties;
        }

        /**
         * Properties of a PushOpen.
         * @deprecated Use swarmtune.v1.PushOpen.$Properties instead.
         */
        interface IPushOpen extends swarmtune.v1.PushOpen.$Properties {
        }

        /** Represents a PushOpen. */
        class PushOpen {

            /**
             * Constructs a new PushOpen.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.PushOpen.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** PushOpen session. */
            session: Uint8Array;

            /**
             * Creates a new PushOpen instance using the specified properties.
             * @param [properties] Properties to set
             * @returns PushOpen instance
             */
            static create(properties: swarmtune.v1.PushOpen.$Shape): swarmtune.v1.PushOpen & swarmtune.v1.PushOpen.$Shape;
            static create(properties?: swarmtune.v1.PushOpen.$Properties): swarmtune.v1.PushOpen;

            /**
             * Encodes the specified PushOpen message. Does not implicitly {@link swarmtune.v1.PushOpen.verify|verify} messages.
             * @param message PushOpen message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.PushOpen.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a PushOpen message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.PushOpen & swarmtune.v1.PushOpen.$Shape} PushOpen
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.PushOpen & swarmtune.v1.PushOpen.$Shape;

            /**
             * Creates a PushOpen message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns PushOpen
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.PushOpen;

            /**
             * Creates a plain object from a PushOpen message. Also converts values to other types if specified.
             * @param message PushOpen
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.PushOpen, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this PushOpen to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace PushOpen {

            /** Properties of a PushOpen. */
            interface $Properties {

                /** PushOpen session */
                session?: (Uint8Array|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a PushOpen. */
            type $Shape = swarmtune.v1.PushOpen.$Properties;
        }

        /**
         * Properties of a TensorsRequest.
         * @deprecated Use swarmtune.v1.TensorsRequest.$Properties instead.
         */
        interface ITensorsRequest extends swarmtune.v1.TensorsRequest.$Properties {
        }

        /** Represents a TensorsRequest. */
        class TensorsRequest {

            /**
             * Constructs a new TensorsRequest.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.TensorsRequest.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** TensorsRequest model. */
            model: string;

            /** TensorsRequest file. */
            file: string;

            /** TensorsRequest tensor. */
            tensor: string;

            /** TensorsRequest firstByte. */
            firstByte: number;

            /** TensorsRequest endByte. */
            endByte: number;

            /** TensorsRequest hashes. */
            hashes: string[];

            /**
             * Creates a new TensorsRequest instance using the specified properties.
             * @param [properties] Properties to set
             * @returns TensorsRequest instance
             */
            static create(properties: swarmtune.v1.TensorsRequest.$Shape): swarmtune.v1.TensorsRequest & swarmtune.v1.TensorsRequest.$Shape;
            static create(properties?: swarmtune.v1.TensorsRequest.$Properties): swarmtune.v1.TensorsRequest;

            /**
             * Encodes the specified TensorsRequest message. Does not implicitly {@link swarmtune.v1.TensorsRequest.verify|verify} messages.
             * @param message TensorsRequest message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.TensorsRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a TensorsRequest message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.TensorsRequest & swarmtune.v1.TensorsRequest.$Shape} TensorsRequest
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.TensorsRequest & swarmtune.v1.TensorsRequest.$Shape;

            /**
             * Creates a TensorsRequest message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns TensorsRequest
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.TensorsRequest;

            /**
             * Creates a plain object from a TensorsRequest message. Also converts values to other types if specified.
             * @param message TensorsRequest
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.TensorsRequest, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this TensorsRequest to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace TensorsRequest {

            /** Properties of a TensorsRequest. */
            interface $Properties {

                /** TensorsRequest model */
                model?: (string|null);

                /** TensorsRequest file */
                file?: (string|null);

                /** TensorsRequest tensor */
                tensor?: (string|null);

                /** TensorsRequest firstByte */
                firstByte?: (number|null);

                /** TensorsRequest endByte */
                endByte?: (number|null);

                /** TensorsRequest hashes */
                hashes?: (string[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a TensorsRequest. */
            type $Shape = swarmtune.v1.TensorsRequest.$Properties;
        }

        /**
         * Properties of a TensorsResponse.
         * @deprecated Use swarmtune.v1.TensorsResponse.$Properties instead.
         */
        interface ITensorsResponse extends swarmtune.v1.TensorsResponse.$Properties {
        }

        /** Represents a TensorsResponse. */
        class TensorsResponse {

            /**
             * Constructs a new TensorsResponse.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.TensorsResponse.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** TensorsResponse data. */
            data: Uint8Array;

            /**
             * Creates a new TensorsResponse instance using the specified properties.
             * @param [properties] Properties to set
             * @returns TensorsResponse instance
             */
            static create(properties: swarmtune.v1.TensorsResponse.$Shape): swarmtune.v1.TensorsResponse & swarmtune.v1.TensorsResponse.$Shape;
            static create(properties?: swarmtune.v1.TensorsResponse.$Properties): swarmtune.v1.TensorsResponse;

            /**
             * Encodes the specified TensorsResponse message. Does not implicitly {@link swarmtune.v1.TensorsResponse.verify|verify} messages.
             * @param message TensorsResponse message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.TensorsResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a TensorsResponse message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.TensorsResponse & swarmtune.v1.TensorsResponse.$Shape} TensorsResponse
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.TensorsResponse & swarmtune.v1.TensorsResponse.$Shape;

            /**
             * Creates a TensorsResponse message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns TensorsResponse
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.TensorsResponse;

            /**
             * Creates a plain object from a TensorsResponse message. Also converts values to other types if specified.
             * @param message TensorsResponse
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.TensorsResponse, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this TensorsResponse to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace TensorsResponse {

            /** Properties of a TensorsResponse. */
            interface $Properties {

                /** TensorsResponse data */
                data?: (Uint8Array|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a TensorsResponse. */
            type $Shape = swarmtune.v1.TensorsResponse.$Properties;
        }

        /** ServerState enum. */
        enum ServerState {

            /** JOINING value */
            JOINING = 0,

            /** ONLINE value */
            ONLINE = 1,

            /** DRAINING value */
            DRAINING = 2,

            /** OFFLINE value */
            OFFLINE = 3,

            /** PAUSED value */
            PAUSED = 4
        }

        /**
         * Properties of an Announcement.
         * @deprecated Use swarmtune.v1.Announcement.$Properties instead.
         */
        interface IAnnouncement extends swarmtune.v1.Announcement.$Properties {
        }

        /** Represents an Announcement. */
        class Announcement {

            /**
             * Constructs a new Announcement.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.Announcement.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Announcement peerId. */
            peerId: Uint8Array;

            /** Announcement model. */
            model: string;

            /** Announcement modelName. */
            modelName: string;

            /** Announcement totalBlocks. */
            totalBlocks: number;

            /** Announcement firstBlock. */
            firstBlock: number;

            /** Announcement endBlock. */
            endBlock: number;

            /** Announcement state. */
            state: swarmtune.v1.ServerState;

            /** Announcement forwardRate. */
            forwardRate: number;

            /** Announcement decodeRate. */
            decodeRate: number;

            /** Announcement cacheBytesFree. */
            cacheBytesFree: number;

            /** Announcement dtype. */
            dtype: string;

            /** Announcement version. */
            version: string;

            /** Announcement addresses. */
            addresses: string[];

            /** Announcement sequence. */
            sequence: number;

            /** Announcement expiresAt. */
            expiresAt: number;

            /** Announcement queueMs. */
            queueMs: number;

            /** Announcement trainingQueueMs. */
            trainingQueueMs: number;

            /** Announcement trips. */
            trips: swarmtune.v1.Trip.$Properties[];

            /** Announcement requestBytes. */
            requestBytes: number;

            /** Announcement serverName. */
            serverName: string;

            /** Announcement protocols. */
            protocols: string[];

            /** Announcement device. */
            device: string;

            /** Announcement region. */
            region: string;

            /** Announcement encoderBlocks. */
            encoderBlocks: number;

            /**
             * Creates a new Announcement instance using the specified properties.
             * @param [properties] Properties to set
             * @returns Announcement instance
             */
            static create(properties: swarmtune.v1.Announcement.$Shape): swarmtune.v1.Announcement & swarmtune.v1.Announcement.$Shape;
            static create(properties?: swarmtune.v1.Announcement.$Properties): swarmtune.v1.Announcement;

            /**
             * Encodes the specified Announcement message. Does not implicitly {@link swarmtune.v1.Announcement.verify|verify} messages.
             * @param message Announcement message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.Announcement.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an Announcement message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.Announcement & swarmtune.v1.Announcement.$Shape} Announcement
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.Announcement & swarmtune.v1.Announcement.$Shape;

            /**
             * Creates an Announcement message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns Announcement
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.Announcement;

            /**
             * Creates a plain object from an Announcement message. Also converts values to other types if specified.
             * @param message Announcement
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.Announcement, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this Announcement to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace Announcement {

            /** Properties of an Announcement. */
            interface $Properties {

                /** Announcement peerId */
                peerId?: (Uint8Array|null);

                /** Announcement model */
                model?: (string|null);

                /** Announcement modelName */
                modelName?: (string|null);

                /** Announcement totalBlocks */
                totalBlocks?: (number|null);

                /** Announcement firstBlock */
                firstBlock?: (number|null);

                /** Announcement endBlock */
                endBlock?: (number|null);

                /** Announcement state */
                state?: (swarmtune.v1.ServerState|null);

                /** Announcement forwardRate */
                forwardRate?: (number|null);

                /** Announcement decodeRate */
                decodeRate?: (number|null);

                /** Announcement cacheBytesFree */
                cacheBytesFree?: (number|null);

                /** Announcement dtype */
                dtype?: (string|null);

                /** Announcement version */
                version?: (string|null);

                /** Announcement addresses */
                addresses?: (string[]|null);

                /** Announcement sequence */
                sequence?: (number|null);

                /** Announcement expiresAt */
                expiresAt?: (number|null);

                /** Announcement queueMs */
                queueMs?: (number|null);

                /** Announcement trainingQueueMs */
                trainingQueueMs?: (number|null);

                /** Announcement trips */
                trips?: (swarmtune.v1.Trip.$Properties[]|null);

                /** Announcement requestBytes */
                requestBytes?: (number|null);

                /** Announcement serverName */
                serverName?: (string|null);

                /** Announcement protocols */
                protocols?: (string[]|null);

                /** Announcement device */
                device?: (string|null);

                /** Announcement region */
                region?: (string|null);

                /** Announcement encoderBlocks */
                encoderBlocks?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an Announcement. */
            type $Shape = swarmtune.v1.Announcement.$Properties;
        }

        /**
         * Properties of a Trip.
         * @deprecated Use swarmtune.v1.Trip.$Properties instead.
         */
        interface ITrip extends swarmtune.v1.Trip.$Properties {
        }

        /** Represents a Trip. */
        class Trip {

            /**
             * Constructs a new Trip.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.Trip.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Trip peerId. */
            peerId: string;

            /** Trip ms. */
            ms: number;

            /**
             * Creates a new Trip instance using the specified properties.
             * @param [properties] Properties to set
             * @returns Trip instance
             */
            static create(properties: swarmtune.v1.Trip.$Shape): swarmtune.v1.Trip & swarmtune.v1.Trip.$Shape;
            static create(properties?: swarmtune.v1.Trip.$Properties): swarmtune.v1.Trip;

            /**
             * Encodes the specified Trip message. Does not implicitly {@link swarmtune.v1.Trip.verify|verify} messages.
             * @param message Trip message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.Trip.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Trip message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.Trip & swarmtune.v1.Trip.$Shape} Trip
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.Trip & swarmtune.v1.Trip.$Shape;

            /**
             * Creates a Trip message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns Trip
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.Trip;

            /**
             * Creates a plain object from a Trip message. Also converts values to other types if specified.
             * @param message Trip
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.Trip, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this Trip to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace Trip {

            /** Properties of a Trip. */
            interface $Properties {

                /** Trip peerId */
                peerId?: (string|null);

                /** Trip ms */
                ms?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Trip. */
            type $Shape = swarmtune.v1.Trip.$Properties;
        }

        /**
         * Properties of a ProbeRequest.
         * @deprecated Use swarmtune.v1.ProbeRequest.$Properties instead.
         */
        interface IProbeRequest extends swarmtune.v1.ProbeRequest.$Properties {
        }

        /** Represents a ProbeRequest. */
        class ProbeRequest {

            /**
             * Constructs a new ProbeRequest.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.ProbeRequest.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** ProbeRequest addresses. */
            addresses: string[];

            /**
             * Creates a new ProbeRequest instance using the specified properties.
             * @param [properties] Properties to set
             * @returns ProbeRequest instance
             */
            static create(properties: swarmtune.v1.ProbeRequest.$Shape): swarmtune.v1.ProbeRequest & swarmtune.v1.ProbeRequest.$Shape;
            static create(properties?: swarmtune.v1.ProbeRequest.$Properties): swarmtune.v1.ProbeRequest;

            /**
             * Encodes the specified ProbeRequest message. Does not implicitly {@link swarmtune.v1.ProbeRequest.verify|verify} messages.
             * @param message ProbeRequest message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.ProbeRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a ProbeRequest message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.ProbeRequest & swarmtune.v1.ProbeRequest.$Shape} ProbeRequest
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.ProbeRequest & swarmtune.v1.ProbeRequest.$Shape;

            /**
             * Creates a ProbeRequest message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns ProbeRequest
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.ProbeRequest;

            /**
             * Creates a plain object from a ProbeRequest message. Also converts values to other types if specified.
             * @param message ProbeRequest
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.ProbeRequest, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this ProbeRequest to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace ProbeRequest {

            /** Properties of a ProbeRequest. */
            interface $Properties {

                /** ProbeRequest addresses */
                addresses?: (string[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a ProbeRequest. */
            type $Shape = swarmtune.v1.ProbeRequest.$Properties;
        }

        /**
         * Properties of a ProbeResponse.
         * @deprecated Use swarmtune.v1.ProbeResponse.$Properties instead.
         */
        interface IProbeResponse extends swarmtune.v1.ProbeResponse.$Properties {
        }

        /** Represents a ProbeResponse. */
        class ProbeResponse {

            /**
             * Constructs a new ProbeResponse.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.ProbeResponse.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** ProbeResponse version. */
            version: string;

            /** ProbeResponse time. */
            time: number;

            /** ProbeResponse seenAs. */
            seenAs: string;

            /** ProbeResponse dialed. */
            dialed: swarmtune.v1.DialResult.$Properties[];

            /**
             * Creates a new ProbeResponse instance using the specified properties.
             * @param [properties] Properties to set
             * @returns ProbeResponse instance
             */
            static create(properties: swarmtune.v1.ProbeResponse.$Shape): swarmtune.v1.ProbeResponse & swarmtune.v1.ProbeResponse.$Shape;
            static create(properties?: swarmtune.v1.ProbeResponse.$Properties): swarmtune.v1.ProbeResponse;

            /**
             * Encodes the specified ProbeResponse message. Does not implicitly {@link swarmtune.v1.ProbeResponse.verify|verify} messages.
             * @param message ProbeResponse message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.ProbeResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a ProbeResponse message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.ProbeResponse & swarmtune.v1.ProbeResponse.$Shape} ProbeResponse
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.ProbeResponse & swarmtune.v1.ProbeResponse.$Shape;

            /**
             * Creates a ProbeResponse message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns ProbeResponse
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.ProbeResponse;

            /**
             * Creates a plain object from a ProbeResponse message. Also converts values to other types if specified.
             * @param message ProbeResponse
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.ProbeResponse, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this ProbeResponse to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace ProbeResponse {

            /** Properties of a ProbeResponse. */
            interface $Properties {

                /** ProbeResponse version */
                version?: (string|null);

                /** ProbeResponse time */
                time?: (number|null);

                /** ProbeResponse seenAs */
                seenAs?: (string|null);

                /** ProbeResponse dialed */
                dialed?: (swarmtune.v1.DialResult.$Properties[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a ProbeResponse. */
            type $Shape = swarmtune.v1.ProbeResponse.$Properties;
        }

        /**
         * Properties of a DialResult.
         * @deprecated Use swarmtune.v1.DialResult.$Properties instead.
         */
        interface IDialResult extends swarmtune.v1.DialResult.$Properties {
        }

        /** Represents a DialResult. */
        class DialResult {

            /**
             * Constructs a new DialResult.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.DialResult.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** DialResult address. */
            address: string;

            /** DialResult failure. */
            failure: string;

            /**
             * Creates a new DialResult instance using the specified properties.
             * @param [properties] Properties to set
             * @returns DialResult instance
             */
            static create(properties: swarmtune.v1.DialResult.$Shape): swarmtune.v1.DialResult & swarmtune.v1.DialResult.$Shape;
            static create(properties?: swarmtune.v1.DialResult.$Properties): swarmtune.v1.DialResult;

            /**
             * Encodes the specified DialResult message. Does not implicitly {@link swarmtune.v1.DialResult.verify|verify} messages.
             * @param message DialResult message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.DialResult.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a DialResult message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.DialResult & swarmtune.v1.DialResult.$Shape} DialResult
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.DialResult & swarmtune.v1.DialResult.$Shape;

            /**
             * Creates a DialResult message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns DialResult
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.DialResult;

            /**
             * Creates a plain object from a DialResult message. Also converts values to other types if specified.
             * @param message DialResult
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.DialResult, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this DialResult to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace DialResult {

            /** Properties of a DialResult. */
            interface $Properties {

                /** DialResult address */
                address?: (string|null);

                /** DialResult failure */
                failure?: (string|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a DialResult. */
            type $Shape = swarmtune.v1.DialResult.$Properties;
        }

        /**
         * Properties of an Invite.
         * @deprecated Use swarmtune.v1.Invite.$Properties instead.
         */
        interface IInvite extends swarmtune.v1.Invite.$Properties {
        }

        /** Represents an Invite. */
        class Invite {

            /**
             * Constructs a new Invite.
             * @param [properties] Properties to set
             */
            constructor(properties?: swarmtune.v1.Invite.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Invite name. */
            name: string;

            /** Invite secret. */
            secret: Uint8Array;

            /** Invite peers. */
            peers: Uint8Array[];

            /** Invite model. */
            model: Uint8Array;

            /** Invite modelName. */
            modelName: string;

            /**
             * Creates a new Invite instance using the specified properties.
             * @param [properties] Properties to set
             * @returns Invite instance
             */
            static create(properties: swarmtune.v1.Invite.$Shape): swarmtune.v1.Invite & swarmtune.v1.Invite.$Shape;
            static create(properties?: swarmtune.v1.Invite.$Properties): swarmtune.v1.Invite;

            /**
             * Encodes the specified Invite message. Does not implicitly {@link swarmtune.v1.Invite.verify|verify} messages.
             * @param message Invite message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: swarmtune.v1.Invite.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an Invite message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {swarmtune.v1.Invite & swarmtune.v1.Invite.$Shape} Invite
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): swarmtune.v1.Invite & swarmtune.v1.Invite.$Shape;

            /**
             * Creates an Invite message from a plain object. Also converts values to their respective internal types.
             * @param object Plain object
             * @returns Invite
             */
            static fromObject(object: { [k: string]: any }): swarmtune.v1.Invite;

            /**
             * Creates a plain object from an Invite message. Also converts values to other types if specified.
             * @param message Invite
             * @param [options] Conversion options
             * @returns Plain object
             */
            static toObject(message: swarmtune.v1.Invite, options?: $protobuf.IConversionOptions): { [k: string]: any };

            /**
             * Converts this Invite to JSON.
             * @returns JSON object
             */
            toJSON(): { [k: string]: any };
        }

        namespace Invite {

            /** Properties of an Invite. */
            interface $Properties {

                /** Invite name */
                name?: (string|null);

                /** Invite secret */
                secret?: (Uint8Array|null);

                /** Invite peers */
                peers?: (Uint8Array[]|null);

                /** Invite model */
                model?: (Uint8Array|null);

                /** Invite modelName */
                modelName?: (string|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an Invite. */
            type $Shape = swarmtune.v1.Invite.$Properties;
        }
    }
}
