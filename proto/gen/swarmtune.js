/*eslint-disable block-scoped-var, id-length, no-control-regex, no-magic-numbers, no-mixed-operators, no-prototype-builtins, no-redeclare, no-shadow, no-var, sort-vars, default-case, jsdoc/require-param*/
import $protobuf from "protobufjs/minimal.js";

const $Reader = $protobuf.Reader, $Writer = $protobuf.Writer, $util = $protobuf.util;
const $Object = $util.global.Object, $undefined = $util.global.undefined, $Error = $util.global.Error, $RangeError = $util.global.RangeError, $TypeError = $util.global.TypeError, $String = $util.global.String, $Array = $util.global.Array, $Number = $util.global.Number, $parseInt = $util.global.parseInt, $BigInt = $util.global.BigInt, $Boolean = $util.global.Boolean, $isFinite = $util.global.isFinite;

const $root = $protobuf.roots["swarmtune"] || ($protobuf.roots["swarmtune"] = {});

export const swarmtune = $root.swarmtune = (() => {

    const swarmtune = {};

    swarmtune.v1 = (function() {

        const v1 = {};

        v1.DataType = (function() {
            const valuesById = $Object.create(null), values = $Object.create(valuesById);
            values[valuesById[0] = "DATA_TYPE_UNSPECIFIED"] = 0;
            values[valuesById[1] = "FLOAT32"] = 1;
            values[valuesById[2] = "INT64"] = 2;
            values[valuesById[3] = "INT32"] = 3;
            return values;
        })();

        v1.Codec = (function() {
            const valuesById = $Object.create(null), values = $Object.create(valuesById);
            values[valuesById[0] = "RAW"] = 0;
            values[valuesById[1] = "FP16"] = 1;
            values[valuesById[2] = "BF16"] = 2;
            values[valuesById[3] = "INT8"] = 3;
            return values;
        })();

        v1.TensorHeader = (function() {

            const TensorHeader = function (properties) {
                this.shape = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            TensorHeader.prototype.name = "";
            TensorHeader.prototype.dtype = 0;
            TensorHeader.prototype.shape = $util.emptyArray;
            TensorHeader.prototype.codec = 0;
            TensorHeader.prototype.byteLength = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            TensorHeader.create = function(properties) {
                return new TensorHeader(properties);
            };

            TensorHeader.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.name != null && $Object.hasOwnProperty.call(message, "name") && message.name !== "")
                    writer.uint32(10).string(message.name);
                if (message.dtype != null && $Object.hasOwnProperty.call(message, "dtype") && message.dtype !== 0)
                    writer.uint32(16).int32(message.dtype);
                if (message.shape != null && message.shape.length)
                    writer.uint32(26).uint32s(message.shape);
                if (message.codec != null && $Object.hasOwnProperty.call(message, "codec") && message.codec !== 0)
                    writer.uint32(32).int32(message.codec);
                if (message.byteLength != null && $Object.hasOwnProperty.call(message, "byteLength") && (typeof message.byteLength === "object" ? message.byteLength.low || message.byteLength.high : message.byteLength !== 0))
                    writer.uint32(40).uint64(message.byteLength);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            TensorHeader.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.TensorHeader();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.name = value;
                            else
                                delete message.name;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.dtype = value;
                            else
                                delete message.dtype;
                            continue;
                        }
                    case 3: {
                            if (wireType === 2) {
                                if (!(message.shape && message.shape.length))
                                    message.shape = [];
                                reader.uint32s(message.shape);
                                continue;
                            }
                            if (wireType !== 0)
                                break;
                            if (!(message.shape && message.shape.length))
                                message.shape = [];
                            message.shape.push(reader.uint32());
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.codec = value;
                            else
                                delete message.codec;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.byteLength = value;
                            else
                                delete message.byteLength;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            TensorHeader.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.TensorHeader)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.TensorHeader: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.TensorHeader();
                if (object.name != null)
                    if (typeof object.name !== "string" || object.name.length)
                        message.name = $String(object.name);
                if (object.dtype !== 0 && (typeof object.dtype !== "string" || $root.swarmtune.v1.DataType[object.dtype] !== 0))
                    switch (object.dtype) {
                    case "DATA_TYPE_UNSPECIFIED":
                    case 0:
                        message.dtype = 0;
                        break;
                    case "FLOAT32":
                    case 1:
                        message.dtype = 1;
                        break;
                    case "INT64":
                    case 2:
                        message.dtype = 2;
                        break;
                    case "INT32":
                    case 3:
                        message.dtype = 3;
                        break;
                    default:
                        if (typeof object.dtype === "number" && (object.dtype | 0) === object.dtype)
                            message.dtype = object.dtype;
                    }
                if (object.shape) {
                    if (!$Array.isArray(object.shape))
                        throw $TypeError(".swarmtune.v1.TensorHeader.shape: array expected");
                    message.shape = $Array(object.shape.length);
                    for (let i = 0; i < object.shape.length; ++i)
                        message.shape[i] = object.shape[i] >>> 0;
                }
                if (object.codec !== 0 && (typeof object.codec !== "string" || $root.swarmtune.v1.Codec[object.codec] !== 0))
                    switch (object.codec) {
                    case "RAW":
                    case 0:
                        message.codec = 0;
                        break;
                    case "FP16":
                    case 1:
                        message.codec = 1;
                        break;
                    case "BF16":
                    case 2:
                        message.codec = 2;
                        break;
                    case "INT8":
                    case 3:
                        message.codec = 3;
                        break;
                    default:
                        if (typeof object.codec === "number" && (object.codec | 0) === object.codec)
                            message.codec = object.codec;
                    }
                if (object.byteLength != null)
                    if (typeof object.byteLength === "object" ? object.byteLength.low || object.byteLength.high : $Number(object.byteLength) !== 0)
                        if ($util.Long)
                            message.byteLength = $util.Long.fromValue(object.byteLength, true);
                        else if (typeof object.byteLength === "string")
                            message.byteLength = $parseInt(object.byteLength, 10);
                        else if (typeof object.byteLength === "number")
                            message.byteLength = object.byteLength;
                        else if (typeof object.byteLength === "object")
                            message.byteLength = new $util.LongBits(object.byteLength.low >>> 0, object.byteLength.high >>> 0).toNumber(true);
                return message;
            };

            TensorHeader.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.arrays || options.defaults)
                    object.shape = [];
                if (options.defaults) {
                    object.name = "";
                    object.dtype = options.enums === $String ? "DATA_TYPE_UNSPECIFIED" : 0;
                    object.codec = options.enums === $String ? "RAW" : 0;
                    if ($util.Long) {
                        let long = new $util.Long(0, 0, true);
                        object.byteLength = options.longs === $String ? long.toString() : options.longs === $Number ? long.toNumber() : typeof $BigInt !== "undefined" && options.longs === $BigInt ? long.toBigInt() : long;
                    } else
                        object.byteLength = options.longs === $String ? "0" : typeof $BigInt !== "undefined" && options.longs === $BigInt ? $BigInt("0") : 0;
                }
                if (message.name != null && $Object.hasOwnProperty.call(message, "name"))
                    object.name = message.name;
                if (message.dtype != null && $Object.hasOwnProperty.call(message, "dtype"))
                    object.dtype = options.enums === $String ? $root.swarmtune.v1.DataType[message.dtype] === $undefined ? message.dtype : $root.swarmtune.v1.DataType[message.dtype] : message.dtype;
                if (message.shape && message.shape.length) {
                    object.shape = $Array(message.shape.length);
                    for (let j = 0; j < message.shape.length; ++j)
                        object.shape[j] = message.shape[j];
                }
                if (message.codec != null && $Object.hasOwnProperty.call(message, "codec"))
                    object.codec = options.enums === $String ? $root.swarmtune.v1.Codec[message.codec] === $undefined ? message.codec : $root.swarmtune.v1.Codec[message.codec] : message.codec;
                if (message.byteLength != null && $Object.hasOwnProperty.call(message, "byteLength"))
                    if (typeof $BigInt !== "undefined" && options.longs === $BigInt)
                        object.byteLength = typeof message.byteLength === "number" ? $BigInt(message.byteLength) : $util.Long.fromBits(message.byteLength.low >>> 0, message.byteLength.high >>> 0, true).toBigInt();
                    else if (typeof message.byteLength === "number")
                        object.byteLength = options.longs === $String ? $String(message.byteLength) : message.byteLength;
                    else
                        object.byteLength = options.longs === $String ? $util.Long.prototype.toString.call(message.byteLength) : options.longs === $Number ? new $util.LongBits(message.byteLength.low >>> 0, message.byteLength.high >>> 0).toNumber(true) : message.byteLength;
                return object;
            };

            TensorHeader.prototype.toJSON = function() {
                return TensorHeader.toObject(this, $protobuf.util.toJSONOptions);
            };

            return TensorHeader;
        })();

        v1.Frame = (function() {

            const Frame = function (properties) {
                this.tensors = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Frame.prototype.tensors = $util.emptyArray;
            Frame.prototype.failure = null;
            Frame.prototype.infoRequest = null;
            Frame.prototype.infoResponse = null;
            Frame.prototype.directoryRequest = null;
            Frame.prototype.directoryResponse = null;
            Frame.prototype.forwardRequest = null;
            Frame.prototype.forwardResponse = null;
            Frame.prototype.backwardRequest = null;
            Frame.prototype.backwardResponse = null;
            Frame.prototype.inferenceOpen = null;
            Frame.prototype.inferenceReady = null;
            Frame.prototype.inferenceStep = null;
            Frame.prototype.inferenceResult = null;
            Frame.prototype.tensorsRequest = null;
            Frame.prototype.tensorsResponse = null;
            Frame.prototype.inferenceRoute = null;
            Frame.prototype.inferenceNotice = null;
            Frame.prototype.pushOpen = null;
            Frame.prototype.probeRequest = null;
            Frame.prototype.probeResponse = null;

            let $oneOfFields;

            $Object.defineProperty(Frame.prototype, "body", {
                get: $util.oneOfGetter($oneOfFields = ["failure", "infoRequest", "infoResponse", "directoryRequest", "directoryResponse", "forwardRequest", "forwardResponse", "backwardRequest", "backwardResponse", "inferenceOpen", "inferenceReady", "inferenceStep", "inferenceResult", "tensorsRequest", "tensorsResponse", "inferenceRoute", "inferenceNotice", "pushOpen", "probeRequest", "probeResponse"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            Frame.create = function(properties) {
                return new Frame(properties);
            };

            Frame.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.tensors != null && message.tensors.length)
                    for (let i = 0; i < message.tensors.length; ++i)
                        $root.swarmtune.v1.TensorHeader.encode(message.tensors[i], writer.uint32(10).fork(), _depth + 1).ldelim();
                if (message.failure != null && $Object.hasOwnProperty.call(message, "failure"))
                    $root.swarmtune.v1.Failure.encode(message.failure, writer.uint32(18).fork(), _depth + 1).ldelim();
                if (message.infoRequest != null && $Object.hasOwnProperty.call(message, "infoRequest"))
                    $root.swarmtune.v1.InfoRequest.encode(message.infoRequest, writer.uint32(26).fork(), _depth + 1).ldelim();
                if (message.infoResponse != null && $Object.hasOwnProperty.call(message, "infoResponse"))
                    $root.swarmtune.v1.InfoResponse.encode(message.infoResponse, writer.uint32(34).fork(), _depth + 1).ldelim();
                if (message.directoryRequest != null && $Object.hasOwnProperty.call(message, "directoryRequest"))
                    $root.swarmtune.v1.DirectoryRequest.encode(message.directoryRequest, writer.uint32(42).fork(), _depth + 1).ldelim();
                if (message.directoryResponse != null && $Object.hasOwnProperty.call(message, "directoryResponse"))
                    $root.swarmtune.v1.DirectoryResponse.encode(message.directoryResponse, writer.uint32(50).fork(), _depth + 1).ldelim();
                if (message.forwardRequest != null && $Object.hasOwnProperty.call(message, "forwardRequest"))
                    $root.swarmtune.v1.ForwardRequest.encode(message.forwardRequest, writer.uint32(58).fork(), _depth + 1).ldelim();
                if (message.forwardResponse != null && $Object.hasOwnProperty.call(message, "forwardResponse"))
                    $root.swarmtune.v1.ForwardResponse.encode(message.forwardResponse, writer.uint32(66).fork(), _depth + 1).ldelim();
                if (message.backwardRequest != null && $Object.hasOwnProperty.call(message, "backwardRequest"))
                    $root.swarmtune.v1.BackwardRequest.encode(message.backwardRequest, writer.uint32(74).fork(), _depth + 1).ldelim();
                if (message.backwardResponse != null && $Object.hasOwnProperty.call(message, "backwardResponse"))
                    $root.swarmtune.v1.BackwardResponse.encode(message.backwardResponse, writer.uint32(82).fork(), _depth + 1).ldelim();
                if (message.inferenceOpen != null && $Object.hasOwnProperty.call(message, "inferenceOpen"))
                    $root.swarmtune.v1.InferenceOpen.encode(message.inferenceOpen, writer.uint32(90).fork(), _depth + 1).ldelim();
                if (message.inferenceReady != null && $Object.hasOwnProperty.call(message, "inferenceReady"))
                    $root.swarmtune.v1.InferenceReady.encode(message.inferenceReady, writer.uint32(98).fork(), _depth + 1).ldelim();
                if (message.inferenceStep != null && $Object.hasOwnProperty.call(message, "inferenceStep"))
                    $root.swarmtune.v1.InferenceStep.encode(message.inferenceStep, writer.uint32(106).fork(), _depth + 1).ldelim();
                if (message.inferenceResult != null && $Object.hasOwnProperty.call(message, "inferenceResult"))
                    $root.swarmtune.v1.InferenceResult.encode(message.inferenceResult, writer.uint32(114).fork(), _depth + 1).ldelim();
                if (message.tensorsRequest != null && $Object.hasOwnProperty.call(message, "tensorsRequest"))
                    $root.swarmtune.v1.TensorsRequest.encode(message.tensorsRequest, writer.uint32(122).fork(), _depth + 1).ldelim();
                if (message.tensorsResponse != null && $Object.hasOwnProperty.call(message, "tensorsResponse"))
                    $root.swarmtune.v1.TensorsResponse.encode(message.tensorsResponse, writer.uint32(130).fork(), _depth + 1).ldelim();
                if (message.inferenceRoute != null && $Object.hasOwnProperty.call(message, "inferenceRoute"))
                    $root.swarmtune.v1.InferenceRoute.encode(message.inferenceRoute, writer.uint32(138).fork(), _depth + 1).ldelim();
                if (message.inferenceNotice != null && $Object.hasOwnProperty.call(message, "inferenceNotice"))
                    $root.swarmtune.v1.InferenceNotice.encode(message.inferenceNotice, writer.uint32(146).fork(), _depth + 1).ldelim();
                if (message.pushOpen != null && $Object.hasOwnProperty.call(message, "pushOpen"))
                    $root.swarmtune.v1.PushOpen.encode(message.pushOpen, writer.uint32(154).fork(), _depth + 1).ldelim();
                if (message.probeRequest != null && $Object.hasOwnProperty.call(message, "probeRequest"))
                    $root.swarmtune.v1.ProbeRequest.encode(message.probeRequest, writer.uint32(162).fork(), _depth + 1).ldelim();
                if (message.probeResponse != null && $Object.hasOwnProperty.call(message, "probeResponse"))
                    $root.swarmtune.v1.ProbeResponse.encode(message.probeResponse, writer.uint32(170).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Frame.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.Frame();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if (!(message.tensors && message.tensors.length))
                                message.tensors = [];
                            message.tensors.push($root.swarmtune.v1.TensorHeader.decode(reader, reader.size(), $undefined, _depth + 1));
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            message.failure = $root.swarmtune.v1.Failure.decode(reader, reader.size(), $undefined, _depth + 1, message.failure);
                            message.body = "failure";
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            message.infoRequest = $root.swarmtune.v1.InfoRequest.decode(reader, reader.size(), $undefined, _depth + 1, message.infoRequest);
                            message.body = "infoRequest";
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            message.infoResponse = $root.swarmtune.v1.InfoResponse.decode(reader, reader.size(), $undefined, _depth + 1, message.infoResponse);
                            message.body = "infoResponse";
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            message.directoryRequest = $root.swarmtune.v1.DirectoryRequest.decode(reader, reader.size(), $undefined, _depth + 1, message.directoryRequest);
                            message.body = "directoryRequest";
                            continue;
                        }
                    case 6: {
                            if (wireType !== 2)
                                break;
                            message.directoryResponse = $root.swarmtune.v1.DirectoryResponse.decode(reader, reader.size(), $undefined, _depth + 1, message.directoryResponse);
                            message.body = "directoryResponse";
                            continue;
                        }
                    case 7: {
                            if (wireType !== 2)
                                break;
                            message.forwardRequest = $root.swarmtune.v1.ForwardRequest.decode(reader, reader.size(), $undefined, _depth + 1, message.forwardRequest);
                            message.body = "forwardRequest";
                            continue;
                        }
                    case 8: {
                            if (wireType !== 2)
                                break;
                            message.forwardResponse = $root.swarmtune.v1.ForwardResponse.decode(reader, reader.size(), $undefined, _depth + 1, message.forwardResponse);
                            message.body = "forwardResponse";
                            continue;
                        }
                    case 9: {
                            if (wireType !== 2)
                                break;
                            message.backwardRequest = $root.swarmtune.v1.BackwardRequest.decode(reader, reader.size(), $undefined, _depth + 1, message.backwardRequest);
                            message.body = "backwardRequest";
                            continue;
                        }
                    case 10: {
                            if (wireType !== 2)
                                break;
                            message.backwardResponse = $root.swarmtune.v1.BackwardResponse.decode(reader, reader.size(), $undefined, _depth + 1, message.backwardResponse);
                            message.body = "backwardResponse";
                            continue;
                        }
                    case 11: {
                            if (wireType !== 2)
                                break;
                            message.inferenceOpen = $root.swarmtune.v1.InferenceOpen.decode(reader, reader.size(), $undefined, _depth + 1, message.inferenceOpen);
                            message.body = "inferenceOpen";
                            continue;
                        }
                    case 12: {
                            if (wireType !== 2)
                                break;
                            message.inferenceReady = $root.swarmtune.v1.InferenceReady.decode(reader, reader.size(), $undefined, _depth + 1, message.inferenceReady);
                            message.body = "inferenceReady";
                            continue;
                        }
                    case 13: {
                            if (wireType !== 2)
                                break;
                            message.inferenceStep = $root.swarmtune.v1.InferenceStep.decode(reader, reader.size(), $undefined, _depth + 1, message.inferenceStep);
                            message.body = "inferenceStep";
                            continue;
                        }
                    case 14: {
                            if (wireType !== 2)
                                break;
                            message.inferenceResult = $root.swarmtune.v1.InferenceResult.decode(reader, reader.size(), $undefined, _depth + 1, message.inferenceResult);
                            message.body = "inferenceResult";
                            continue;
                        }
                    case 15: {
                            if (wireType !== 2)
                                break;
                            message.tensorsRequest = $root.swarmtune.v1.TensorsRequest.decode(reader, reader.size(), $undefined, _depth + 1, message.tensorsRequest);
                            message.body = "tensorsRequest";
                            continue;
                        }
                    case 16: {
                            if (wireType !== 2)
                                break;
                            message.tensorsResponse = $root.swarmtune.v1.TensorsResponse.decode(reader, reader.size(), $undefined, _depth + 1, message.tensorsResponse);
                            message.body = "tensorsResponse";
                            continue;
                        }
                    case 17: {
                            if (wireType !== 2)
                                break;
                            message.inferenceRoute = $root.swarmtune.v1.InferenceRoute.decode(reader, reader.size(), $undefined, _depth + 1, message.inferenceRoute);
                            message.body = "inferenceRoute";
                            continue;
                        }
                    case 18: {
                            if (wireType !== 2)
                                break;
                            message.inferenceNotice = $root.swarmtune.v1.InferenceNotice.decode(reader, reader.size(), $undefined, _depth + 1, message.inferenceNotice);
                            message.body = "inferenceNotice";
                            continue;
                        }
                    case 19: {
                            if (wireType !== 2)
                                break;
                            message.pushOpen = $root.swarmtune.v1.PushOpen.decode(reader, reader.size(), $undefined, _depth + 1, message.pushOpen);
                            message.body = "pushOpen";
                            continue;
                        }
                    case 20: {
                            if (wireType !== 2)
                                break;
                            message.probeRequest = $root.swarmtune.v1.ProbeRequest.decode(reader, reader.size(), $undefined, _depth + 1, message.probeRequest);
                            message.body = "probeRequest";
                            continue;
                        }
                    case 21: {
                            if (wireType !== 2)
                                break;
                            message.probeResponse = $root.swarmtune.v1.ProbeResponse.decode(reader, reader.size(), $undefined, _depth + 1, message.probeResponse);
                            message.body = "probeResponse";
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            Frame.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.Frame)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.Frame: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.Frame();
                if (object.tensors) {
                    if (!$Array.isArray(object.tensors))
                        throw $TypeError(".swarmtune.v1.Frame.tensors: array expected");
                    message.tensors = $Array(object.tensors.length);
                    for (let i = 0; i < object.tensors.length; ++i) {
                        if (!$util.isObject(object.tensors[i]))
                            throw $TypeError(".swarmtune.v1.Frame.tensors: object expected");
                        message.tensors[i] = $root.swarmtune.v1.TensorHeader.fromObject(object.tensors[i], _depth + 1);
                    }
                }
                if (object.failure != null) {
                    if (!$util.isObject(object.failure))
                        throw $TypeError(".swarmtune.v1.Frame.failure: object expected");
                    message.failure = $root.swarmtune.v1.Failure.fromObject(object.failure, _depth + 1);
                }
                if (object.infoRequest != null) {
                    if (!$util.isObject(object.infoRequest))
                        throw $TypeError(".swarmtune.v1.Frame.infoRequest: object expected");
                    message.infoRequest = $root.swarmtune.v1.InfoRequest.fromObject(object.infoRequest, _depth + 1);
                }
                if (object.infoResponse != null) {
                    if (!$util.isObject(object.infoResponse))
                        throw $TypeError(".swarmtune.v1.Frame.infoResponse: object expected");
                    message.infoResponse = $root.swarmtune.v1.InfoResponse.fromObject(object.infoResponse, _depth + 1);
                }
                if (object.directoryRequest != null) {
                    if (!$util.isObject(object.directoryRequest))
                        throw $TypeError(".swarmtune.v1.Frame.directoryRequest: object expected");
                    message.directoryRequest = $root.swarmtune.v1.DirectoryRequest.fromObject(object.directoryRequest, _depth + 1);
                }
                if (object.directoryResponse != null) {
                    if (!$util.isObject(object.directoryResponse))
                        throw $TypeError(".swarmtune.v1.Frame.directoryResponse: object expected");
                    message.directoryResponse = $root.swarmtune.v1.DirectoryResponse.fromObject(object.directoryResponse, _depth + 1);
                }
                if (object.forwardRequest != null) {
                    if (!$util.isObject(object.forwardRequest))
                        throw $TypeError(".swarmtune.v1.Frame.forwardRequest: object expected");
                    message.forwardRequest = $root.swarmtune.v1.ForwardRequest.fromObject(object.forwardRequest, _depth + 1);
                }
                if (object.forwardResponse != null) {
                    if (!$util.isObject(object.forwardResponse))
                        throw $TypeError(".swarmtune.v1.Frame.forwardResponse: object expected");
                    message.forwardResponse = $root.swarmtune.v1.ForwardResponse.fromObject(object.forwardResponse, _depth + 1);
                }
                if (object.backwardRequest != null) {
                    if (!$util.isObject(object.backwardRequest))
                        throw $TypeError(".swarmtune.v1.Frame.backwardRequest: object expected");
                    message.backwardRequest = $root.swarmtune.v1.BackwardRequest.fromObject(object.backwardRequest, _depth + 1);
                }
                if (object.backwardResponse != null) {
                    if (!$util.isObject(object.backwardResponse))
                        throw $TypeError(".swarmtune.v1.Frame.backwardResponse: object expected");
                    message.backwardResponse = $root.swarmtune.v1.BackwardResponse.fromObject(object.backwardResponse, _depth + 1);
                }
                if (object.inferenceOpen != null) {
                    if (!$util.isObject(object.inferenceOpen))
                        throw $TypeError(".swarmtune.v1.Frame.inferenceOpen: object expected");
                    message.inferenceOpen = $root.swarmtune.v1.InferenceOpen.fromObject(object.inferenceOpen, _depth + 1);
                }
                if (object.inferenceReady != null) {
                    if (!$util.isObject(object.inferenceReady))
                        throw $TypeError(".swarmtune.v1.Frame.inferenceReady: object expected");
                    message.inferenceReady = $root.swarmtune.v1.InferenceReady.fromObject(object.inferenceReady, _depth + 1);
                }
                if (object.inferenceStep != null) {
                    if (!$util.isObject(object.inferenceStep))
                        throw $TypeError(".swarmtune.v1.Frame.inferenceStep: object expected");
                    message.inferenceStep = $root.swarmtune.v1.InferenceStep.fromObject(object.inferenceStep, _depth + 1);
                }
                if (object.inferenceResult != null) {
                    if (!$util.isObject(object.inferenceResult))
                        throw $TypeError(".swarmtune.v1.Frame.inferenceResult: object expected");
                    message.inferenceResult = $root.swarmtune.v1.InferenceResult.fromObject(object.inferenceResult, _depth + 1);
                }
                if (object.tensorsRequest != null) {
                    if (!$util.isObject(object.tensorsRequest))
                        throw $TypeError(".swarmtune.v1.Frame.tensorsRequest: object expected");
                    message.tensorsRequest = $root.swarmtune.v1.TensorsRequest.fromObject(object.tensorsRequest, _depth + 1);
                }
                if (object.tensorsResponse != null) {
                    if (!$util.isObject(object.tensorsResponse))
                        throw $TypeError(".swarmtune.v1.Frame.tensorsResponse: object expected");
                    message.tensorsResponse = $root.swarmtune.v1.TensorsResponse.fromObject(object.tensorsResponse, _depth + 1);
                }
                if (object.inferenceRoute != null) {
                    if (!$util.isObject(object.inferenceRoute))
                        throw $TypeError(".swarmtune.v1.Frame.inferenceRoute: object expected");
                    message.inferenceRoute = $root.swarmtune.v1.InferenceRoute.fromObject(object.inferenceRoute, _depth + 1);
                }
                if (object.inferenceNotice != null) {
                    if (!$util.isObject(object.inferenceNotice))
                        throw $TypeError(".swarmtune.v1.Frame.inferenceNotice: object expected");
                    message.inferenceNotice = $root.swarmtune.v1.InferenceNotice.fromObject(object.inferenceNotice, _depth + 1);
                }
                if (object.pushOpen != null) {
                    if (!$util.isObject(object.pushOpen))
                        throw $TypeError(".swarmtune.v1.Frame.pushOpen: object expected");
                    message.pushOpen = $root.swarmtune.v1.PushOpen.fromObject(object.pushOpen, _depth + 1);
                }
                if (object.probeRequest != null) {
                    if (!$util.isObject(object.probeRequest))
                        throw $TypeError(".swarmtune.v1.Frame.probeRequest: object expected");
                    message.probeRequest = $root.swarmtune.v1.ProbeRequest.fromObject(object.probeRequest, _depth + 1);
                }
                if (object.probeResponse != null) {
                    if (!$util.isObject(object.probeResponse))
                        throw $TypeError(".swarmtune.v1.Frame.probeResponse: object expected");
                    message.probeResponse = $root.swarmtune.v1.ProbeResponse.fromObject(object.probeResponse, _depth + 1);
                }
                return message;
            };

            Frame.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.arrays || options.defaults)
                    object.tensors = [];
                if (message.tensors && message.tensors.length) {
                    object.tensors = $Array(message.tensors.length);
                    for (let j = 0; j < message.tensors.length; ++j)
                        object.tensors[j] = $root.swarmtune.v1.TensorHeader.toObject(message.tensors[j], options, _depth + 1);
                }
                if (message.failure != null && $Object.hasOwnProperty.call(message, "failure")) {
                    object.failure = $root.swarmtune.v1.Failure.toObject(message.failure, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "failure";
                }
                if (message.infoRequest != null && $Object.hasOwnProperty.call(message, "infoRequest")) {
                    object.infoRequest = $root.swarmtune.v1.InfoRequest.toObject(message.infoRequest, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "infoRequest";
                }
                if (message.infoResponse != null && $Object.hasOwnProperty.call(message, "infoResponse")) {
                    object.infoResponse = $root.swarmtune.v1.InfoResponse.toObject(message.infoResponse, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "infoResponse";
                }
                if (message.directoryRequest != null && $Object.hasOwnProperty.call(message, "directoryRequest")) {
                    object.directoryRequest = $root.swarmtune.v1.DirectoryRequest.toObject(message.directoryRequest, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "directoryRequest";
                }
                if (message.directoryResponse != null && $Object.hasOwnProperty.call(message, "directoryResponse")) {
                    object.directoryResponse = $root.swarmtune.v1.DirectoryResponse.toObject(message.directoryResponse, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "directoryResponse";
                }
                if (message.forwardRequest != null && $Object.hasOwnProperty.call(message, "forwardRequest")) {
                    object.forwardRequest = $root.swarmtune.v1.ForwardRequest.toObject(message.forwardRequest, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "forwardRequest";
                }
                if (message.forwardResponse != null && $Object.hasOwnProperty.call(message, "forwardResponse")) {
                    object.forwardResponse = $root.swarmtune.v1.ForwardResponse.toObject(message.forwardResponse, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "forwardResponse";
                }
                if (message.backwardRequest != null && $Object.hasOwnProperty.call(message, "backwardRequest")) {
                    object.backwardRequest = $root.swarmtune.v1.BackwardRequest.toObject(message.backwardRequest, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "backwardRequest";
                }
                if (message.backwardResponse != null && $Object.hasOwnProperty.call(message, "backwardResponse")) {
                    object.backwardResponse = $root.swarmtune.v1.BackwardResponse.toObject(message.backwardResponse, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "backwardResponse";
                }
                if (message.inferenceOpen != null && $Object.hasOwnProperty.call(message, "inferenceOpen")) {
                    object.inferenceOpen = $root.swarmtune.v1.InferenceOpen.toObject(message.inferenceOpen, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "inferenceOpen";
                }
                if (message.inferenceReady != null && $Object.hasOwnProperty.call(message, "inferenceReady")) {
                    object.inferenceReady = $root.swarmtune.v1.InferenceReady.toObject(message.inferenceReady, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "inferenceReady";
                }
                if (message.inferenceStep != null && $Object.hasOwnProperty.call(message, "inferenceStep")) {
                    object.inferenceStep = $root.swarmtune.v1.InferenceStep.toObject(message.inferenceStep, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "inferenceStep";
                }
                if (message.inferenceResult != null && $Object.hasOwnProperty.call(message, "inferenceResult")) {
                    object.inferenceResult = $root.swarmtune.v1.InferenceResult.toObject(message.inferenceResult, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "inferenceResult";
                }
                if (message.tensorsRequest != null && $Object.hasOwnProperty.call(message, "tensorsRequest")) {
                    object.tensorsRequest = $root.swarmtune.v1.TensorsRequest.toObject(message.tensorsRequest, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "tensorsRequest";
                }
                if (message.tensorsResponse != null && $Object.hasOwnProperty.call(message, "tensorsResponse")) {
                    object.tensorsResponse = $root.swarmtune.v1.TensorsResponse.toObject(message.tensorsResponse, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "tensorsResponse";
                }
                if (message.inferenceRoute != null && $Object.hasOwnProperty.call(message, "inferenceRoute")) {
                    object.inferenceRoute = $root.swarmtune.v1.InferenceRoute.toObject(message.inferenceRoute, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "inferenceRoute";
                }
                if (message.inferenceNotice != null && $Object.hasOwnProperty.call(message, "inferenceNotice")) {
                    object.inferenceNotice = $root.swarmtune.v1.InferenceNotice.toObject(message.inferenceNotice, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "inferenceNotice";
                }
                if (message.pushOpen != null && $Object.hasOwnProperty.call(message, "pushOpen")) {
                    object.pushOpen = $root.swarmtune.v1.PushOpen.toObject(message.pushOpen, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "pushOpen";
                }
                if (message.probeRequest != null && $Object.hasOwnProperty.call(message, "probeRequest")) {
                    object.probeRequest = $root.swarmtune.v1.ProbeRequest.toObject(message.probeRequest, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "probeRequest";
                }
                if (message.probeResponse != null && $Object.hasOwnProperty.call(message, "probeResponse")) {
                    object.probeResponse = $root.swarmtune.v1.ProbeResponse.toObject(message.probeResponse, options, _depth + 1);
                    if (options.oneofs)
                        object.body = "probeResponse";
                }
                return object;
            };

            Frame.prototype.toJSON = function() {
                return Frame.toObject(this, $protobuf.util.toJSONOptions);
            };

            return Frame;
        })();

        v1.Failure = (function() {

            const Failure = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Failure.prototype.code = "";
            Failure.prototype.message = "";
            Failure.prototype.retryable = false;
            Failure.prototype.retryAfterMs = 0;

            Failure.create = function(properties) {
                return new Failure(properties);
            };

            Failure.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.code != null && $Object.hasOwnProperty.call(message, "code") && message.code !== "")
                    writer.uint32(10).string(message.code);
                if (message.message != null && $Object.hasOwnProperty.call(message, "message") && message.message !== "")
                    writer.uint32(18).string(message.message);
                if (message.retryable != null && $Object.hasOwnProperty.call(message, "retryable") && message.retryable !== false)
                    writer.uint32(24).bool(message.retryable);
                if (message.retryAfterMs != null && $Object.hasOwnProperty.call(message, "retryAfterMs") && message.retryAfterMs !== 0)
                    writer.uint32(32).uint32(message.retryAfterMs);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Failure.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.Failure();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.code = value;
                            else
                                delete message.code;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.message = value;
                            else
                                delete message.message;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.bool())
                                message.retryable = value;
                            else
                                delete message.retryable;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.retryAfterMs = value;
                            else
                                delete message.retryAfterMs;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            Failure.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.Failure)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.Failure: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.Failure();
                if (object.code != null)
                    if (typeof object.code !== "string" || object.code.length)
                        message.code = $String(object.code);
                if (object.message != null)
                    if (typeof object.message !== "string" || object.message.length)
                        message.message = $String(object.message);
                if (object.retryable != null)
                    if (object.retryable)
                        message.retryable = $Boolean(object.retryable);
                if (object.retryAfterMs != null)
                    if ($Number(object.retryAfterMs) !== 0)
                        message.retryAfterMs = object.retryAfterMs >>> 0;
                return message;
            };

            Failure.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults) {
                    object.code = "";
                    object.message = "";
                    object.retryable = false;
                    object.retryAfterMs = 0;
                }
                if (message.code != null && $Object.hasOwnProperty.call(message, "code"))
                    object.code = message.code;
                if (message.message != null && $Object.hasOwnProperty.call(message, "message"))
                    object.message = message.message;
                if (message.retryable != null && $Object.hasOwnProperty.call(message, "retryable"))
                    object.retryable = message.retryable;
                if (message.retryAfterMs != null && $Object.hasOwnProperty.call(message, "retryAfterMs"))
                    object.retryAfterMs = message.retryAfterMs;
                return object;
            };

            Failure.prototype.toJSON = function() {
                return Failure.toObject(this, $protobuf.util.toJSONOptions);
            };

            return Failure;
        })();

        v1.Span = (function() {

            const Span = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Span.prototype.model = "";
            Span.prototype.firstBlock = 0;
            Span.prototype.endBlock = 0;
            Span.prototype.timeoutMs = 0;
            Span.prototype.codec = 0;

            Span.create = function(properties) {
                return new Span(properties);
            };

            Span.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.model != null && $Object.hasOwnProperty.call(message, "model") && message.model !== "")
                    writer.uint32(10).string(message.model);
                if (message.firstBlock != null && $Object.hasOwnProperty.call(message, "firstBlock") && message.firstBlock !== 0)
                    writer.uint32(16).uint32(message.firstBlock);
                if (message.endBlock != null && $Object.hasOwnProperty.call(message, "endBlock") && message.endBlock !== 0)
                    writer.uint32(24).uint32(message.endBlock);
                if (message.timeoutMs != null && $Object.hasOwnProperty.call(message, "timeoutMs") && message.timeoutMs !== 0)
                    writer.uint32(32).uint32(message.timeoutMs);
                if (message.codec != null && $Object.hasOwnProperty.call(message, "codec") && message.codec !== 0)
                    writer.uint32(40).int32(message.codec);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Span.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.Span();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.model = value;
                            else
                                delete message.model;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.firstBlock = value;
                            else
                                delete message.firstBlock;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.endBlock = value;
                            else
                                delete message.endBlock;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.timeoutMs = value;
                            else
                                delete message.timeoutMs;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.codec = value;
                            else
                                delete message.codec;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            Span.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.Span)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.Span: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.Span();
                if (object.model != null)
                    if (typeof object.model !== "string" || object.model.length)
                        message.model = $String(object.model);
                if (object.firstBlock != null)
                    if ($Number(object.firstBlock) !== 0)
                        message.firstBlock = object.firstBlock >>> 0;
                if (object.endBlock != null)
                    if ($Number(object.endBlock) !== 0)
                        message.endBlock = object.endBlock >>> 0;
                if (object.timeoutMs != null)
                    if ($Number(object.timeoutMs) !== 0)
                        message.timeoutMs = object.timeoutMs >>> 0;
                if (object.codec !== 0 && (typeof object.codec !== "string" || $root.swarmtune.v1.Codec[object.codec] !== 0))
                    switch (object.codec) {
                    case "RAW":
                    case 0:
                        message.codec = 0;
                        break;
                    case "FP16":
                    case 1:
                        message.codec = 1;
                        break;
                    case "BF16":
                    case 2:
                        message.codec = 2;
                        break;
                    case "INT8":
                    case 3:
                        message.codec = 3;
                        break;
                    default:
                        if (typeof object.codec === "number" && (object.codec | 0) === object.codec)
                            message.codec = object.codec;
                    }
                return message;
            };

            Span.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults) {
                    object.model = "";
                    object.firstBlock = 0;
                    object.endBlock = 0;
                    object.timeoutMs = 0;
                    object.codec = options.enums === $String ? "RAW" : 0;
                }
                if (message.model != null && $Object.hasOwnProperty.call(message, "model"))
                    object.model = message.model;
                if (message.firstBlock != null && $Object.hasOwnProperty.call(message, "firstBlock"))
                    object.firstBlock = message.firstBlock;
                if (message.endBlock != null && $Object.hasOwnProperty.call(message, "endBlock"))
                    object.endBlock = message.endBlock;
                if (message.timeoutMs != null && $Object.hasOwnProperty.call(message, "timeoutMs"))
                    object.timeoutMs = message.timeoutMs;
                if (message.codec != null && $Object.hasOwnProperty.call(message, "codec"))
                    object.codec = options.enums === $String ? $root.swarmtune.v1.Codec[message.codec] === $undefined ? message.codec : $root.swarmtune.v1.Codec[message.codec] : message.codec;
                return object;
            };

            Span.prototype.toJSON = function() {
                return Span.toObject(this, $protobuf.util.toJSONOptions);
            };

            return Span;
        })();

        v1.Dropout = (function() {

            const Dropout = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Dropout.prototype.probability = 0;
            Dropout.prototype.seed = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            Dropout.create = function(properties) {
                return new Dropout(properties);
            };

            Dropout.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.probability != null && $Object.hasOwnProperty.call(message, "probability") && !$Object.is(message.probability, 0))
                    writer.uint32(13).float(message.probability);
                if (message.seed != null && $Object.hasOwnProperty.call(message, "seed") && (typeof message.seed === "object" ? message.seed.low || message.seed.high : message.seed !== 0))
                    writer.uint32(16).uint64(message.seed);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Dropout.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.Dropout();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 5)
                                break;
                            if (!$Object.is(value = reader.float(), 0))
                                message.probability = value;
                            else
                                delete message.probability;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.seed = value;
                            else
                                delete message.seed;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            Dropout.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.Dropout)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.Dropout: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.Dropout();
                if (object.probability != null)
                    if (!$Object.is($Number(object.probability), 0))
                        message.probability = $Number(object.probability);
                if (object.seed != null)
                    if (typeof object.seed === "object" ? object.seed.low || object.seed.high : $Number(object.seed) !== 0)
                        if ($util.Long)
                            message.seed = $util.Long.fromValue(object.seed, true);
                        else if (typeof object.seed === "string")
                            message.seed = $parseInt(object.seed, 10);
                        else if (typeof object.seed === "number")
                            message.seed = object.seed;
                        else if (typeof object.seed === "object")
                            message.seed = new $util.LongBits(object.seed.low >>> 0, object.seed.high >>> 0).toNumber(true);
                return message;
            };

            Dropout.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults) {
                    object.probability = 0;
                    if ($util.Long) {
                        let long = new $util.Long(0, 0, true);
                        object.seed = options.longs === $String ? long.toString() : options.longs === $Number ? long.toNumber() : typeof $BigInt !== "undefined" && options.longs === $BigInt ? long.toBigInt() : long;
                    } else
                        object.seed = options.longs === $String ? "0" : typeof $BigInt !== "undefined" && options.longs === $BigInt ? $BigInt("0") : 0;
                }
                if (message.probability != null && $Object.hasOwnProperty.call(message, "probability"))
                    object.probability = options.json && !$isFinite(message.probability) ? $String(message.probability) : message.probability;
                if (message.seed != null && $Object.hasOwnProperty.call(message, "seed"))
                    if (typeof $BigInt !== "undefined" && options.longs === $BigInt)
                        object.seed = typeof message.seed === "number" ? $BigInt(message.seed) : $util.Long.fromBits(message.seed.low >>> 0, message.seed.high >>> 0, true).toBigInt();
                    else if (typeof message.seed === "number")
                        object.seed = options.longs === $String ? $String(message.seed) : message.seed;
                    else
                        object.seed = options.longs === $String ? $util.Long.prototype.toString.call(message.seed) : options.longs === $Number ? new $util.LongBits(message.seed.low >>> 0, message.seed.high >>> 0).toNumber(true) : message.seed;
                return object;
            };

            Dropout.prototype.toJSON = function() {
                return Dropout.toObject(this, $protobuf.util.toJSONOptions);
            };

            return Dropout;
        })();

        v1.InfoRequest = (function() {

            const InfoRequest = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            InfoRequest.create = function(properties) {
                return new InfoRequest(properties);
            };

            InfoRequest.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            InfoRequest.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.InfoRequest();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    reader.skipType(tag & 7, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            InfoRequest.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.InfoRequest)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.InfoRequest: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                return new $root.swarmtune.v1.InfoRequest();
            };

            InfoRequest.toObject = function () {
                return {};
            };

            InfoRequest.prototype.toJSON = function() {
                return InfoRequest.toObject(this, $protobuf.util.toJSONOptions);
            };

            return InfoRequest;
        })();

        v1.InfoResponse = (function() {

            const InfoResponse = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            InfoResponse.prototype.announcement = $util.newBuffer([]);
            InfoResponse.prototype.sessions = 0;
            InfoResponse.prototype.cacheBytesUsed = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            InfoResponse.prototype.cacheBytesTotal = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            InfoResponse.prototype.residualBytesUsed = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            InfoResponse.prototype.residualBytesTotal = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            InfoResponse.prototype.queueLength = 0;

            InfoResponse.create = function(properties) {
                return new InfoResponse(properties);
            };

            InfoResponse.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.announcement != null && $Object.hasOwnProperty.call(message, "announcement") && message.announcement.length)
                    writer.uint32(10).bytes(message.announcement);
                if (message.sessions != null && $Object.hasOwnProperty.call(message, "sessions") && message.sessions !== 0)
                    writer.uint32(16).uint32(message.sessions);
                if (message.cacheBytesUsed != null && $Object.hasOwnProperty.call(message, "cacheBytesUsed") && (typeof message.cacheBytesUsed === "object" ? message.cacheBytesUsed.low || message.cacheBytesUsed.high : message.cacheBytesUsed !== 0))
                    writer.uint32(24).uint64(message.cacheBytesUsed);
                if (message.cacheBytesTotal != null && $Object.hasOwnProperty.call(message, "cacheBytesTotal") && (typeof message.cacheBytesTotal === "object" ? message.cacheBytesTotal.low || message.cacheBytesTotal.high : message.cacheBytesTotal !== 0))
                    writer.uint32(32).uint64(message.cacheBytesTotal);
                if (message.residualBytesUsed != null && $Object.hasOwnProperty.call(message, "residualBytesUsed") && (typeof message.residualBytesUsed === "object" ? message.residualBytesUsed.low || message.residualBytesUsed.high : message.residualBytesUsed !== 0))
                    writer.uint32(40).uint64(message.residualBytesUsed);
                if (message.residualBytesTotal != null && $Object.hasOwnProperty.call(message, "residualBytesTotal") && (typeof message.residualBytesTotal === "object" ? message.residualBytesTotal.low || message.residualBytesTotal.high : message.residualBytesTotal !== 0))
                    writer.uint32(48).uint64(message.residualBytesTotal);
                if (message.queueLength != null && $Object.hasOwnProperty.call(message, "queueLength") && message.queueLength !== 0)
                    writer.uint32(56).uint32(message.queueLength);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            InfoResponse.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.InfoResponse();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.announcement = value;
                            else
                                delete message.announcement;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.sessions = value;
                            else
                                delete message.sessions;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.cacheBytesUsed = value;
                            else
                                delete message.cacheBytesUsed;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.cacheBytesTotal = value;
                            else
                                delete message.cacheBytesTotal;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.residualBytesUsed = value;
                            else
                                delete message.residualBytesUsed;
                            continue;
                        }
                    case 6: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.residualBytesTotal = value;
                            else
                                delete message.residualBytesTotal;
                            continue;
                        }
                    case 7: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.queueLength = value;
                            else
                                delete message.queueLength;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            InfoResponse.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.InfoResponse)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.InfoResponse: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.InfoResponse();
                if (object.announcement != null)
                    if (object.announcement.length)
                        if (typeof object.announcement === "string")
                            $util.base64.decode(object.announcement, message.announcement = $util.newBuffer($util.base64.length(object.announcement)), 0);
                        else if (object.announcement.length >= 0)
                            message.announcement = object.announcement;
                if (object.sessions != null)
                    if ($Number(object.sessions) !== 0)
                        message.sessions = object.sessions >>> 0;
                if (object.cacheBytesUsed != null)
                    if (typeof object.cacheBytesUsed === "object" ? object.cacheBytesUsed.low || object.cacheBytesUsed.high : $Number(object.cacheBytesUsed) !== 0)
                        if ($util.Long)
                            message.cacheBytesUsed = $util.Long.fromValue(object.cacheBytesUsed, true);
                        else if (typeof object.cacheBytesUsed === "string")
                            message.cacheBytesUsed = $parseInt(object.cacheBytesUsed, 10);
                        else if (typeof object.cacheBytesUsed === "number")
                            message.cacheBytesUsed = object.cacheBytesUsed;
                        else if (typeof object.cacheBytesUsed === "object")
                            message.cacheBytesUsed = new $util.LongBits(object.cacheBytesUsed.low >>> 0, object.cacheBytesUsed.high >>> 0).toNumber(true);
                if (object.cacheBytesTotal != null)
                    if (typeof object.cacheBytesTotal === "object" ? object.cacheBytesTotal.low || object.cacheBytesTotal.high : $Number(object.cacheBytesTotal) !== 0)
                        if ($util.Long)
                            message.cacheBytesTotal = $util.Long.fromValue(object.cacheBytesTotal, true);
                        else if (typeof object.cacheBytesTotal === "string")
                            message.cacheBytesTotal = $parseInt(object.cacheBytesTotal, 10);
                        else if (typeof object.cacheBytesTotal === "number")
                            message.cacheBytesTotal = object.cacheBytesTotal;
                        else if (typeof object.cacheBytesTotal === "object")
                            message.cacheBytesTotal = new $util.LongBits(object.cacheBytesTotal.low >>> 0, object.cacheBytesTotal.high >>> 0).toNumber(true);
                if (object.residualBytesUsed != null)
                    if (typeof object.residualBytesUsed === "object" ? object.residualBytesUsed.low || object.residualBytesUsed.high : $Number(object.residualBytesUsed) !== 0)
                        if ($util.Long)
                            message.residualBytesUsed = $util.Long.fromValue(object.residualBytesUsed, true);
                        else if (typeof object.residualBytesUsed === "string")
                            message.residualBytesUsed = $parseInt(object.residualBytesUsed, 10);
                        else if (typeof object.residualBytesUsed === "number")
                            message.residualBytesUsed = object.residualBytesUsed;
                        else if (typeof object.residualBytesUsed === "object")
                            message.residualBytesUsed = new $util.LongBits(object.residualBytesUsed.low >>> 0, object.residualBytesUsed.high >>> 0).toNumber(true);
                if (object.residualBytesTotal != null)
                    if (typeof object.residualBytesTotal === "object" ? object.residualBytesTotal.low || object.residualBytesTotal.high : $Number(object.residualBytesTotal) !== 0)
                        if ($util.Long)
                            message.residualBytesTotal = $util.Long.fromValue(object.residualBytesTotal, true);
                        else if (typeof object.residualBytesTotal === "string")
                            message.residualBytesTotal = $parseInt(object.residualBytesTotal, 10);
                        else if (typeof object.residualBytesTotal === "number")
                            message.residualBytesTotal = object.residualBytesTotal;
                        else if (typeof object.residualBytesTotal === "object")
                            message.residualBytesTotal = new $util.LongBits(object.residualBytesTotal.low >>> 0, object.residualBytesTotal.high >>> 0).toNumber(true);
                if (object.queueLength != null)
                    if ($Number(object.queueLength) !== 0)
                        message.queueLength = object.queueLength >>> 0;
                return message;
            };

            InfoResponse.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults) {
                    if (options.bytes === $String)
                        object.announcement = "";
                    else {
                        object.announcement = [];
                        if (options.bytes !== $Array)
                            object.announcement = $util.newBuffer(object.announcement);
                    }
                    object.sessions = 0;
                    if ($util.Long) {
                        let long = new $util.Long(0, 0, true);
                        object.cacheBytesUsed = options.longs === $String ? long.toString() : options.longs === $Number ? long.toNumber() : typeof $BigInt !== "undefined" && options.longs === $BigInt ? long.toBigInt() : long;
                    } else
                        object.cacheBytesUsed = options.longs === $String ? "0" : typeof $BigInt !== "undefined" && options.longs === $BigInt ? $BigInt("0") : 0;
                    if ($util.Long) {
                        let long = new $util.Long(0, 0, true);
                        object.cacheBytesTotal = options.longs === $String ? long.toString() : options.longs === $Number ? long.toNumber() : typeof $BigInt !== "undefined" && options.longs === $BigInt ? long.toBigInt() : long;
                    } else
                        object.cacheBytesTotal = options.longs === $String ? "0" : typeof $BigInt !== "undefined" && options.longs === $BigInt ? $BigInt("0") : 0;
                    if ($util.Long) {
                        let long = new $util.Long(0, 0, true);
                        object.residualBytesUsed = options.longs === $String ? long.toString() : options.longs === $Number ? long.toNumber() : typeof $BigInt !== "undefined" && options.longs === $BigInt ? long.toBigInt() : long;
                    } else
                        object.residualBytesUsed = options.longs === $String ? "0" : typeof $BigInt !== "undefined" && options.longs === $BigInt ? $BigInt("0") : 0;
                    if ($util.Long) {
                        let long = new $util.Long(0, 0, true);
                        object.residualBytesTotal = options.longs === $String ? long.toString() : options.longs === $Number ? long.toNumber() : typeof $BigInt !== "undefined" && options.longs === $BigInt ? long.toBigInt() : long;
                    } else
                        object.residualBytesTotal = options.longs === $String ? "0" : typeof $BigInt !== "undefined" && options.longs === $BigInt ? $BigInt("0") : 0;
                    object.queueLength = 0;
                }
                if (message.announcement != null && $Object.hasOwnProperty.call(message, "announcement"))
                    object.announcement = options.bytes === $String ? $util.base64.encode(message.announcement, 0, message.announcement.length) : options.bytes === $Array ? $Array.prototype.slice.call(message.announcement) : message.announcement;
                if (message.sessions != null && $Object.hasOwnProperty.call(message, "sessions"))
                    object.sessions = message.sessions;
                if (message.cacheBytesUsed != null && $Object.hasOwnProperty.call(message, "cacheBytesUsed"))
                    if (typeof $BigInt !== "undefined" && options.longs === $BigInt)
                        object.cacheBytesUsed = typeof message.cacheBytesUsed === "number" ? $BigInt(message.cacheBytesUsed) : $util.Long.fromBits(message.cacheBytesUsed.low >>> 0, message.cacheBytesUsed.high >>> 0, true).toBigInt();
                    else if (typeof message.cacheBytesUsed === "number")
                        object.cacheBytesUsed = options.longs === $String ? $String(message.cacheBytesUsed) : message.cacheBytesUsed;
                    else
                        object.cacheBytesUsed = options.longs === $String ? $util.Long.prototype.toString.call(message.cacheBytesUsed) : options.longs === $Number ? new $util.LongBits(message.cacheBytesUsed.low >>> 0, message.cacheBytesUsed.high >>> 0).toNumber(true) : message.cacheBytesUsed;
                if (message.cacheBytesTotal != null && $Object.hasOwnProperty.call(message, "cacheBytesTotal"))
                    if (typeof $BigInt !== "undefined" && options.longs === $BigInt)
                        object.cacheBytesTotal = typeof message.cacheBytesTotal === "number" ? $BigInt(message.cacheBytesTotal) : $util.Long.fromBits(message.cacheBytesTotal.low >>> 0, message.cacheBytesTotal.high >>> 0, true).toBigInt();
                    else if (typeof message.cacheBytesTotal === "number")
                        object.cacheBytesTotal = options.longs === $String ? $String(message.cacheBytesTotal) : message.cacheBytesTotal;
                    else
                        object.cacheBytesTotal = options.longs === $String ? $util.Long.prototype.toString.call(message.cacheBytesTotal) : options.longs === $Number ? new $util.LongBits(message.cacheBytesTotal.low >>> 0, message.cacheBytesTotal.high >>> 0).toNumber(true) : message.cacheBytesTotal;
                if (message.residualBytesUsed != null && $Object.hasOwnProperty.call(message, "residualBytesUsed"))
                    if (typeof $BigInt !== "undefined" && options.longs === $BigInt)
                        object.residualBytesUsed = typeof message.residualBytesUsed === "number" ? $BigInt(message.residualBytesUsed) : $util.Long.fromBits(message.residualBytesUsed.low >>> 0, message.residualBytesUsed.high >>> 0, true).toBigInt();
                    else if (typeof message.residualBytesUsed === "number")
                        object.residualBytesUsed = options.longs === $String ? $String(message.residualBytesUsed) : message.residualBytesUsed;
                    else
                        object.residualBytesUsed = options.longs === $String ? $util.Long.prototype.toString.call(message.residualBytesUsed) : options.longs === $Number ? new $util.LongBits(message.residualBytesUsed.low >>> 0, message.residualBytesUsed.high >>> 0).toNumber(true) : message.residualBytesUsed;
                if (message.residualBytesTotal != null && $Object.hasOwnProperty.call(message, "residualBytesTotal"))
                    if (typeof $BigInt !== "undefined" && options.longs === $BigInt)
                        object.residualBytesTotal = typeof message.residualBytesTotal === "number" ? $BigInt(message.residualBytesTotal) : $util.Long.fromBits(message.residualBytesTotal.low >>> 0, message.residualBytesTotal.high >>> 0, true).toBigInt();
                    else if (typeof message.residualBytesTotal === "number")
                        object.residualBytesTotal = options.longs === $String ? $String(message.residualBytesTotal) : message.residualBytesTotal;
                    else
                        object.residualBytesTotal = options.longs === $String ? $util.Long.prototype.toString.call(message.residualBytesTotal) : options.longs === $Number ? new $util.LongBits(message.residualBytesTotal.low >>> 0, message.residualBytesTotal.high >>> 0).toNumber(true) : message.residualBytesTotal;
                if (message.queueLength != null && $Object.hasOwnProperty.call(message, "queueLength"))
                    object.queueLength = message.queueLength;
                return object;
            };

            InfoResponse.prototype.toJSON = function() {
                return InfoResponse.toObject(this, $protobuf.util.toJSONOptions);
            };

            return InfoResponse;
        })();

        v1.DirectoryRequest = (function() {

            const DirectoryRequest = function (properties) {
                this.announcements = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            DirectoryRequest.prototype.model = "";
            DirectoryRequest.prototype.announcements = $util.emptyArray;

            DirectoryRequest.create = function(properties) {
                return new DirectoryRequest(properties);
            };

            DirectoryRequest.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.model != null && $Object.hasOwnProperty.call(message, "model") && message.model !== "")
                    writer.uint32(10).string(message.model);
                if (message.announcements != null && message.announcements.length)
                    for (let i = 0; i < message.announcements.length; ++i)
                        writer.uint32(18).bytes(message.announcements[i]);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            DirectoryRequest.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.DirectoryRequest();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.model = value;
                            else
                                delete message.model;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if (!(message.announcements && message.announcements.length))
                                message.announcements = [];
                            message.announcements.push(reader.bytes());
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            DirectoryRequest.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.DirectoryRequest)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.DirectoryRequest: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.DirectoryRequest();
                if (object.model != null)
                    if (typeof object.model !== "string" || object.model.length)
                        message.model = $String(object.model);
                if (object.announcements) {
                    if (!$Array.isArray(object.announcements))
                        throw $TypeError(".swarmtune.v1.DirectoryRequest.announcements: array expected");
                    message.announcements = $Array(object.announcements.length);
                    for (let i = 0; i < object.announcements.length; ++i)
                        if (typeof object.announcements[i] === "string")
                            $util.base64.decode(object.announcements[i], message.announcements[i] = $util.newBuffer($util.base64.length(object.announcements[i])), 0);
                        else if (object.announcements[i].length >= 0)
                            message.announcements[i] = object.announcements[i];
                }
                return message;
            };

            DirectoryRequest.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.arrays || options.defaults)
                    object.announcements = [];
                if (options.defaults)
                    object.model = "";
                if (message.model != null && $Object.hasOwnProperty.call(message, "model"))
                    object.model = message.model;
                if (message.announcements && message.announcements.length) {
                    object.announcements = $Array(message.announcements.length);
                    for (let j = 0; j < message.announcements.length; ++j)
                        object.announcements[j] = options.bytes === $String ? $util.base64.encode(message.announcements[j], 0, message.announcements[j].length) : options.bytes === $Array ? $Array.prototype.slice.call(message.announcements[j]) : message.announcements[j];
                }
                return object;
            };

            DirectoryRequest.prototype.toJSON = function() {
                return DirectoryRequest.toObject(this, $protobuf.util.toJSONOptions);
            };

            return DirectoryRequest;
        })();

        v1.DirectoryResponse = (function() {

            const DirectoryResponse = function (properties) {
                this.announcements = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            DirectoryResponse.prototype.announcements = $util.emptyArray;

            DirectoryResponse.create = function(properties) {
                return new DirectoryResponse(properties);
            };

            DirectoryResponse.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.announcements != null && message.announcements.length)
                    for (let i = 0; i < message.announcements.length; ++i)
                        writer.uint32(10).bytes(message.announcements[i]);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            DirectoryResponse.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.DirectoryResponse();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if (!(message.announcements && message.announcements.length))
                                message.announcements = [];
                            message.announcements.push(reader.bytes());
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            DirectoryResponse.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.DirectoryResponse)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.DirectoryResponse: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.DirectoryResponse();
                if (object.announcements) {
                    if (!$Array.isArray(object.announcements))
                        throw $TypeError(".swarmtune.v1.DirectoryResponse.announcements: array expected");
                    message.announcements = $Array(object.announcements.length);
                    for (let i = 0; i < object.announcements.length; ++i)
                        if (typeof object.announcements[i] === "string")
                            $util.base64.decode(object.announcements[i], message.announcements[i] = $util.newBuffer($util.base64.length(object.announcements[i])), 0);
                        else if (object.announcements[i].length >= 0)
                            message.announcements[i] = object.announcements[i];
                }
                return message;
            };

            DirectoryResponse.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.arrays || options.defaults)
                    object.announcements = [];
                if (message.announcements && message.announcements.length) {
                    object.announcements = $Array(message.announcements.length);
                    for (let j = 0; j < message.announcements.length; ++j)
                        object.announcements[j] = options.bytes === $String ? $util.base64.encode(message.announcements[j], 0, message.announcements[j].length) : options.bytes === $Array ? $Array.prototype.slice.call(message.announcements[j]) : message.announcements[j];
                }
                return object;
            };

            DirectoryResponse.prototype.toJSON = function() {
                return DirectoryResponse.toObject(this, $protobuf.util.toJSONOptions);
            };

            return DirectoryResponse;
        })();

        v1.ForwardRequest = (function() {

            const ForwardRequest = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            ForwardRequest.prototype.span = null;
            ForwardRequest.prototype.keepResiduals = false;
            ForwardRequest.prototype.dropout = null;

            ForwardRequest.create = function(properties) {
                return new ForwardRequest(properties);
            };

            ForwardRequest.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.span != null && $Object.hasOwnProperty.call(message, "span"))
                    $root.swarmtune.v1.Span.encode(message.span, writer.uint32(10).fork(), _depth + 1).ldelim();
                if (message.keepResiduals != null && $Object.hasOwnProperty.call(message, "keepResiduals") && message.keepResiduals !== false)
                    writer.uint32(16).bool(message.keepResiduals);
                if (message.dropout != null && $Object.hasOwnProperty.call(message, "dropout"))
                    $root.swarmtune.v1.Dropout.encode(message.dropout, writer.uint32(26).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            ForwardRequest.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.ForwardRequest();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            message.span = $root.swarmtune.v1.Span.decode(reader, reader.size(), $undefined, _depth + 1, message.span);
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.bool())
                                message.keepResiduals = value;
                            else
                                delete message.keepResiduals;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            message.dropout = $root.swarmtune.v1.Dropout.decode(reader, reader.size(), $undefined, _depth + 1, message.dropout);
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            ForwardRequest.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.ForwardRequest)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.ForwardRequest: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.ForwardRequest();
                if (object.span != null) {
                    if (!$util.isObject(object.span))
                        throw $TypeError(".swarmtune.v1.ForwardRequest.span: object expected");
                    message.span = $root.swarmtune.v1.Span.fromObject(object.span, _depth + 1);
                }
                if (object.keepResiduals != null)
                    if (object.keepResiduals)
                        message.keepResiduals = $Boolean(object.keepResiduals);
                if (object.dropout != null) {
                    if (!$util.isObject(object.dropout))
                        throw $TypeError(".swarmtune.v1.ForwardRequest.dropout: object expected");
                    message.dropout = $root.swarmtune.v1.Dropout.fromObject(object.dropout, _depth + 1);
                }
                return message;
            };

            ForwardRequest.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults) {
                    object.span = null;
                    object.keepResiduals = false;
                    object.dropout = null;
                }
                if (message.span != null && $Object.hasOwnProperty.call(message, "span"))
                    object.span = $root.swarmtune.v1.Span.toObject(message.span, options, _depth + 1);
                if (message.keepResiduals != null && $Object.hasOwnProperty.call(message, "keepResiduals"))
                    object.keepResiduals = message.keepResiduals;
                if (message.dropout != null && $Object.hasOwnProperty.call(message, "dropout"))
                    object.dropout = $root.swarmtune.v1.Dropout.toObject(message.dropout, options, _depth + 1);
                return object;
            };

            ForwardRequest.prototype.toJSON = function() {
                return ForwardRequest.toObject(this, $protobuf.util.toJSONOptions);
            };

            return ForwardRequest;
        })();

        v1.ForwardResponse = (function() {

            const ForwardResponse = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            ForwardResponse.prototype.residualId = "";

            ForwardResponse.create = function(properties) {
                return new ForwardResponse(properties);
            };

            ForwardResponse.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.residualId != null && $Object.hasOwnProperty.call(message, "residualId") && message.residualId !== "")
                    writer.uint32(10).string(message.residualId);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            ForwardResponse.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.ForwardResponse();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.residualId = value;
                            else
                                delete message.residualId;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            ForwardResponse.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.ForwardResponse)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.ForwardResponse: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.ForwardResponse();
                if (object.residualId != null)
                    if (typeof object.residualId !== "string" || object.residualId.length)
                        message.residualId = $String(object.residualId);
                return message;
            };

            ForwardResponse.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults)
                    object.residualId = "";
                if (message.residualId != null && $Object.hasOwnProperty.call(message, "residualId"))
                    object.residualId = message.residualId;
                return object;
            };

            ForwardResponse.prototype.toJSON = function() {
                return ForwardResponse.toObject(this, $protobuf.util.toJSONOptions);
            };

            return ForwardResponse;
        })();

        v1.BackwardRequest = (function() {

            const BackwardRequest = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            BackwardRequest.prototype.span = null;
            BackwardRequest.prototype.residualId = "";
            BackwardRequest.prototype.dropout = null;

            BackwardRequest.create = function(properties) {
                return new BackwardRequest(properties);
            };

            BackwardRequest.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.span != null && $Object.hasOwnProperty.call(message, "span"))
                    $root.swarmtune.v1.Span.encode(message.span, writer.uint32(10).fork(), _depth + 1).ldelim();
                if (message.residualId != null && $Object.hasOwnProperty.call(message, "residualId") && message.residualId !== "")
                    writer.uint32(18).string(message.residualId);
                if (message.dropout != null && $Object.hasOwnProperty.call(message, "dropout"))
                    $root.swarmtune.v1.Dropout.encode(message.dropout, writer.uint32(26).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            BackwardRequest.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.BackwardRequest();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            message.span = $root.swarmtune.v1.Span.decode(reader, reader.size(), $undefined, _depth + 1, message.span);
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.residualId = value;
                            else
                                delete message.residualId;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            message.dropout = $root.swarmtune.v1.Dropout.decode(reader, reader.size(), $undefined, _depth + 1, message.dropout);
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            BackwardRequest.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.BackwardRequest)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.BackwardRequest: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.BackwardRequest();
                if (object.span != null) {
                    if (!$util.isObject(object.span))
                        throw $TypeError(".swarmtune.v1.BackwardRequest.span: object expected");
                    message.span = $root.swarmtune.v1.Span.fromObject(object.span, _depth + 1);
                }
                if (object.residualId != null)
                    if (typeof object.residualId !== "string" || object.residualId.length)
                        message.residualId = $String(object.residualId);
                if (object.dropout != null) {
                    if (!$util.isObject(object.dropout))
                        throw $TypeError(".swarmtune.v1.BackwardRequest.dropout: object expected");
                    message.dropout = $root.swarmtune.v1.Dropout.fromObject(object.dropout, _depth + 1);
                }
                return message;
            };

            BackwardRequest.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults) {
                    object.span = null;
                    object.residualId = "";
                    object.dropout = null;
                }
                if (message.span != null && $Object.hasOwnProperty.call(message, "span"))
                    object.span = $root.swarmtune.v1.Span.toObject(message.span, options, _depth + 1);
                if (message.residualId != null && $Object.hasOwnProperty.call(message, "residualId"))
                    object.residualId = message.residualId;
                if (message.dropout != null && $Object.hasOwnProperty.call(message, "dropout"))
                    object.dropout = $root.swarmtune.v1.Dropout.toObject(message.dropout, options, _depth + 1);
                return object;
            };

            BackwardRequest.prototype.toJSON = function() {
                return BackwardRequest.toObject(this, $protobuf.util.toJSONOptions);
            };

            return BackwardRequest;
        })();

        v1.BackwardResponse = (function() {

            const BackwardResponse = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            BackwardResponse.create = function(properties) {
                return new BackwardResponse(properties);
            };

            BackwardResponse.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            BackwardResponse.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.BackwardResponse();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    reader.skipType(tag & 7, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            BackwardResponse.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.BackwardResponse)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.BackwardResponse: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                return new $root.swarmtune.v1.BackwardResponse();
            };

            BackwardResponse.toObject = function () {
                return {};
            };

            BackwardResponse.prototype.toJSON = function() {
                return BackwardResponse.toObject(this, $protobuf.util.toJSONOptions);
            };

            return BackwardResponse;
        })();

        v1.InferenceOpen = (function() {

            const InferenceOpen = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            InferenceOpen.prototype.span = null;
            InferenceOpen.prototype.batch = 0;
            InferenceOpen.prototype.maxLength = 0;
            InferenceOpen.prototype.session = $util.newBuffer([]);
            InferenceOpen.prototype.previous = "";
            InferenceOpen.prototype.next = null;
            InferenceOpen.prototype.portsHash = $util.newBuffer([]);

            InferenceOpen.create = function(properties) {
                return new InferenceOpen(properties);
            };

            InferenceOpen.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.span != null && $Object.hasOwnProperty.call(message, "span"))
                    $root.swarmtune.v1.Span.encode(message.span, writer.uint32(10).fork(), _depth + 1).ldelim();
                if (message.batch != null && $Object.hasOwnProperty.call(message, "batch") && message.batch !== 0)
                    writer.uint32(16).uint32(message.batch);
                if (message.maxLength != null && $Object.hasOwnProperty.call(message, "maxLength") && message.maxLength !== 0)
                    writer.uint32(24).uint32(message.maxLength);
                if (message.session != null && $Object.hasOwnProperty.call(message, "session") && message.session.length)
                    writer.uint32(34).bytes(message.session);
                if (message.previous != null && $Object.hasOwnProperty.call(message, "previous") && message.previous !== "")
                    writer.uint32(42).string(message.previous);
                if (message.next != null && $Object.hasOwnProperty.call(message, "next"))
                    $root.swarmtune.v1.NextHop.encode(message.next, writer.uint32(50).fork(), _depth + 1).ldelim();
                if (message.portsHash != null && $Object.hasOwnProperty.call(message, "portsHash") && message.portsHash.length)
                    writer.uint32(58).bytes(message.portsHash);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            InferenceOpen.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.InferenceOpen();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            message.span = $root.swarmtune.v1.Span.decode(reader, reader.size(), $undefined, _depth + 1, message.span);
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.batch = value;
                            else
                                delete message.batch;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.maxLength = value;
                            else
                                delete message.maxLength;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.session = value;
                            else
                                delete message.session;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.previous = value;
                            else
                                delete message.previous;
                            continue;
                        }
                    case 6: {
                            if (wireType !== 2)
                                break;
                            message.next = $root.swarmtune.v1.NextHop.decode(reader, reader.size(), $undefined, _depth + 1, message.next);
                            continue;
                        }
                    case 7: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.portsHash = value;
                            else
                                delete message.portsHash;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            InferenceOpen.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.InferenceOpen)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.InferenceOpen: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.InferenceOpen();
                if (object.span != null) {
                    if (!$util.isObject(object.span))
                        throw $TypeError(".swarmtune.v1.InferenceOpen.span: object expected");
                    message.span = $root.swarmtune.v1.Span.fromObject(object.span, _depth + 1);
                }
                if (object.batch != null)
                    if ($Number(object.batch) !== 0)
                        message.batch = object.batch >>> 0;
                if (object.maxLength != null)
                    if ($Number(object.maxLength) !== 0)
                        message.maxLength = object.maxLength >>> 0;
                if (object.session != null)
                    if (object.session.length)
                        if (typeof object.session === "string")
                            $util.base64.decode(object.session, message.session = $util.newBuffer($util.base64.length(object.session)), 0);
                        else if (object.session.length >= 0)
                            message.session = object.session;
                if (object.previous != null)
                    if (typeof object.previous !== "string" || object.previous.length)
                        message.previous = $String(object.previous);
                if (object.next != null) {
                    if (!$util.isObject(object.next))
                        throw $TypeError(".swarmtune.v1.InferenceOpen.next: object expected");
                    message.next = $root.swarmtune.v1.NextHop.fromObject(object.next, _depth + 1);
                }
                if (object.portsHash != null)
                    if (object.portsHash.length)
                        if (typeof object.portsHash === "string")
                            $util.base64.decode(object.portsHash, message.portsHash = $util.newBuffer($util.base64.length(object.portsHash)), 0);
                        else if (object.portsHash.length >= 0)
                            message.portsHash = object.portsHash;
                return message;
            };

            InferenceOpen.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults) {
                    object.span = null;
                    object.batch = 0;
                    object.maxLength = 0;
                    if (options.bytes === $String)
                        object.session = "";
                    else {
                        object.session = [];
                        if (options.bytes !== $Array)
                            object.session = $util.newBuffer(object.session);
                    }
                    object.previous = "";
                    object.next = null;
                    if (options.bytes === $String)
                        object.portsHash = "";
                    else {
                        object.portsHash = [];
                        if (options.bytes !== $Array)
                            object.portsHash = $util.newBuffer(object.portsHash);
                    }
                }
                if (message.span != null && $Object.hasOwnProperty.call(message, "span"))
                    object.span = $root.swarmtune.v1.Span.toObject(message.span, options, _depth + 1);
                if (message.batch != null && $Object.hasOwnProperty.call(message, "batch"))
                    object.batch = message.batch;
                if (message.maxLength != null && $Object.hasOwnProperty.call(message, "maxLength"))
                    object.maxLength = message.maxLength;
                if (message.session != null && $Object.hasOwnProperty.call(message, "session"))
                    object.session = options.bytes === $String ? $util.base64.encode(message.session, 0, message.session.length) : options.bytes === $Array ? $Array.prototype.slice.call(message.session) : message.session;
                if (message.previous != null && $Object.hasOwnProperty.call(message, "previous"))
                    object.previous = message.previous;
                if (message.next != null && $Object.hasOwnProperty.call(message, "next"))
                    object.next = $root.swarmtune.v1.NextHop.toObject(message.next, options, _depth + 1);
                if (message.portsHash != null && $Object.hasOwnProperty.call(message, "portsHash"))
                    object.portsHash = options.bytes === $String ? $util.base64.encode(message.portsHash, 0, message.portsHash.length) : options.bytes === $Array ? $Array.prototype.slice.call(message.portsHash) : message.portsHash;
                return object;
            };

            InferenceOpen.prototype.toJSON = function() {
                return InferenceOpen.toObject(this, $protobuf.util.toJSONOptions);
            };

            return InferenceOpen;
        })();

        v1.NextHop = (function() {

            const NextHop = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            NextHop.prototype.peerId = "";
            NextHop.prototype.announcement = $util.newBuffer([]);
            NextHop.prototype.replay = false;

            NextHop.create = function(properties) {
                return new NextHop(properties);
            };

            NextHop.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.peerId != null && $Object.hasOwnProperty.call(message, "peerId") && message.peerId !== "")
                    writer.uint32(10).string(message.peerId);
                if (message.announcement != null && $Object.hasOwnProperty.call(message, "announcement") && message.announcement.length)
                    writer.uint32(18).bytes(message.announcement);
                if (message.replay != null && $Object.hasOwnProperty.call(message, "replay") && message.replay !== false)
                    writer.uint32(24).bool(message.replay);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            NextHop.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.NextHop();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.peerId = value;
                            else
                                delete message.peerId;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.announcement = value;
                            else
                                delete message.announcement;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.bool())
                                message.replay = value;
                            else
                                delete message.replay;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            NextHop.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.NextHop)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.NextHop: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.NextHop();
                if (object.peerId != null)
                    if (typeof object.peerId !== "string" || object.peerId.length)
                        message.peerId = $String(object.peerId);
                if (object.announcement != null)
                    if (object.announcement.length)
                        if (typeof object.announcement === "string")
                            $util.base64.decode(object.announcement, message.announcement = $util.newBuffer($util.base64.length(object.announcement)), 0);
                        else if (object.announcement.length >= 0)
                            message.announcement = object.announcement;
                if (object.replay != null)
                    if (object.replay)
                        message.replay = $Boolean(object.replay);
                return message;
            };

            NextHop.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults) {
                    object.peerId = "";
                    if (options.bytes === $String)
                        object.announcement = "";
                    else {
                        object.announcement = [];
                        if (options.bytes !== $Array)
                            object.announcement = $util.newBuffer(object.announcement);
                    }
                    object.replay = false;
                }
                if (message.peerId != null && $Object.hasOwnProperty.call(message, "peerId"))
                    object.peerId = message.peerId;
                if (message.announcement != null && $Object.hasOwnProperty.call(message, "announcement"))
                    object.announcement = options.bytes === $String ? $util.base64.encode(message.announcement, 0, message.announcement.length) : options.bytes === $Array ? $Array.prototype.slice.call(message.announcement) : message.announcement;
                if (message.replay != null && $Object.hasOwnProperty.call(message, "replay"))
                    object.replay = message.replay;
                return object;
            };

            NextHop.prototype.toJSON = function() {
                return NextHop.toObject(this, $protobuf.util.toJSONOptions);
            };

            return NextHop;
        })();

        v1.InferenceReady = (function() {

            const InferenceReady = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            InferenceReady.prototype.cacheBytes = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            InferenceReady.prototype.portsHash = $util.newBuffer([]);

            InferenceReady.create = function(properties) {
                return new InferenceReady(properties);
            };

            InferenceReady.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.cacheBytes != null && $Object.hasOwnProperty.call(message, "cacheBytes") && (typeof message.cacheBytes === "object" ? message.cacheBytes.low || message.cacheBytes.high : message.cacheBytes !== 0))
                    writer.uint32(8).uint64(message.cacheBytes);
                if (message.portsHash != null && $Object.hasOwnProperty.call(message, "portsHash") && message.portsHash.length)
                    writer.uint32(18).bytes(message.portsHash);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            InferenceReady.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.InferenceReady();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.cacheBytes = value;
                            else
                                delete message.cacheBytes;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.portsHash = value;
                            else
                                delete message.portsHash;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            InferenceReady.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.InferenceReady)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.InferenceReady: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.InferenceReady();
                if (object.cacheBytes != null)
                    if (typeof object.cacheBytes === "object" ? object.cacheBytes.low || object.cacheBytes.high : $Number(object.cacheBytes) !== 0)
                        if ($util.Long)
                            message.cacheBytes = $util.Long.fromValue(object.cacheBytes, true);
                        else if (typeof object.cacheBytes === "string")
                            message.cacheBytes = $parseInt(object.cacheBytes, 10);
                        else if (typeof object.cacheBytes === "number")
                            message.cacheBytes = object.cacheBytes;
                        else if (typeof object.cacheBytes === "object")
                            message.cacheBytes = new $util.LongBits(object.cacheBytes.low >>> 0, object.cacheBytes.high >>> 0).toNumber(true);
                if (object.portsHash != null)
                    if (object.portsHash.length)
                        if (typeof object.portsHash === "string")
                            $util.base64.decode(object.portsHash, message.portsHash = $util.newBuffer($util.base64.length(object.portsHash)), 0);
                        else if (object.portsHash.length >= 0)
                            message.portsHash = object.portsHash;
                return message;
            };

            InferenceReady.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults) {
                    if ($util.Long) {
                        let long = new $util.Long(0, 0, true);
                        object.cacheBytes = options.longs === $String ? long.toString() : options.longs === $Number ? long.toNumber() : typeof $BigInt !== "undefined" && options.longs === $BigInt ? long.toBigInt() : long;
                    } else
                        object.cacheBytes = options.longs === $String ? "0" : typeof $BigInt !== "undefined" && options.longs === $BigInt ? $BigInt("0") : 0;
                    if (options.bytes === $String)
                        object.portsHash = "";
                    else {
                        object.portsHash = [];
                        if (options.bytes !== $Array)
                            object.portsHash = $util.newBuffer(object.portsHash);
                    }
                }
                if (message.cacheBytes != null && $Object.hasOwnProperty.call(message, "cacheBytes"))
                    if (typeof $BigInt !== "undefined" && options.longs === $BigInt)
                        object.cacheBytes = typeof message.cacheBytes === "number" ? $BigInt(message.cacheBytes) : $util.Long.fromBits(message.cacheBytes.low >>> 0, message.cacheBytes.high >>> 0, true).toBigInt();
                    else if (typeof message.cacheBytes === "number")
                        object.cacheBytes = options.longs === $String ? $String(message.cacheBytes) : message.cacheBytes;
                    else
                        object.cacheBytes = options.longs === $String ? $util.Long.prototype.toString.call(message.cacheBytes) : options.longs === $Number ? new $util.LongBits(message.cacheBytes.low >>> 0, message.cacheBytes.high >>> 0).toNumber(true) : message.cacheBytes;
                if (message.portsHash != null && $Object.hasOwnProperty.call(message, "portsHash"))
                    object.portsHash = options.bytes === $String ? $util.base64.encode(message.portsHash, 0, message.portsHash.length) : options.bytes === $Array ? $Array.prototype.slice.call(message.portsHash) : message.portsHash;
                return object;
            };

            InferenceReady.prototype.toJSON = function() {
                return InferenceReady.toObject(this, $protobuf.util.toJSONOptions);
            };

            return InferenceReady;
        })();

        v1.InferenceStep = (function() {

            const InferenceStep = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            InferenceStep.prototype.timeoutMs = 0;
            InferenceStep.prototype.step = 0;
            InferenceStep.prototype.lastOnly = false;
            InferenceStep.prototype.replay = false;

            InferenceStep.create = function(properties) {
                return new InferenceStep(properties);
            };

            InferenceStep.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.timeoutMs != null && $Object.hasOwnProperty.call(message, "timeoutMs") && message.timeoutMs !== 0)
                    writer.uint32(8).uint32(message.timeoutMs);
                if (message.step != null && $Object.hasOwnProperty.call(message, "step") && message.step !== 0)
                    writer.uint32(16).uint32(message.step);
                if (message.lastOnly != null && $Object.hasOwnProperty.call(message, "lastOnly") && message.lastOnly !== false)
                    writer.uint32(24).bool(message.lastOnly);
                if (message.replay != null && $Object.hasOwnProperty.call(message, "replay") && message.replay !== false)
                    writer.uint32(32).bool(message.replay);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            InferenceStep.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.InferenceStep();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.timeoutMs = value;
                            else
                                delete message.timeoutMs;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.step = value;
                            else
                                delete message.step;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.bool())
                                message.lastOnly = value;
                            else
                                delete message.lastOnly;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.bool())
                                message.replay = value;
                            else
                                delete message.replay;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            InferenceStep.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.InferenceStep)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.InferenceStep: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.InferenceStep();
                if (object.timeoutMs != null)
                    if ($Number(object.timeoutMs) !== 0)
                        message.timeoutMs = object.timeoutMs >>> 0;
                if (object.step != null)
                    if ($Number(object.step) !== 0)
                        message.step = object.step >>> 0;
                if (object.lastOnly != null)
                    if (object.lastOnly)
                        message.lastOnly = $Boolean(object.lastOnly);
                if (object.replay != null)
                    if (object.replay)
                        message.replay = $Boolean(object.replay);
                return message;
            };

            InferenceStep.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults) {
                    object.timeoutMs = 0;
                    object.step = 0;
                    object.lastOnly = false;
                    object.replay = false;
                }
                if (message.timeoutMs != null && $Object.hasOwnProperty.call(message, "timeoutMs"))
                    object.timeoutMs = message.timeoutMs;
                if (message.step != null && $Object.hasOwnProperty.call(message, "step"))
                    object.step = message.step;
                if (message.lastOnly != null && $Object.hasOwnProperty.call(message, "lastOnly"))
                    object.lastOnly = message.lastOnly;
                if (message.replay != null && $Object.hasOwnProperty.call(message, "replay"))
                    object.replay = message.replay;
                return object;
            };

            InferenceStep.prototype.toJSON = function() {
                return InferenceStep.toObject(this, $protobuf.util.toJSONOptions);
            };

            return InferenceStep;
        })();

        v1.InferenceResult = (function() {

            const InferenceResult = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            InferenceResult.prototype.step = 0;

            InferenceResult.create = function(properties) {
                return new InferenceResult(properties);
            };

            InferenceResult.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.step != null && $Object.hasOwnProperty.call(message, "step") && message.step !== 0)
                    writer.uint32(8).uint32(message.step);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            InferenceResult.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.InferenceResult();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.step = value;
                            else
                                delete message.step;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            InferenceResult.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.InferenceResult)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.InferenceResult: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.InferenceResult();
                if (object.step != null)
                    if ($Number(object.step) !== 0)
                        message.step = object.step >>> 0;
                return message;
            };

            InferenceResult.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults)
                    object.step = 0;
                if (message.step != null && $Object.hasOwnProperty.call(message, "step"))
                    object.step = message.step;
                return object;
            };

            InferenceResult.prototype.toJSON = function() {
                return InferenceResult.toObject(this, $protobuf.util.toJSONOptions);
            };

            return InferenceResult;
        })();

        v1.InferenceRoute = (function() {

            const InferenceRoute = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            InferenceRoute.prototype.previous = "";
            InferenceRoute.prototype.next = null;
            InferenceRoute.prototype.replay = false;
            InferenceRoute.prototype.keepNext = false;

            InferenceRoute.create = function(properties) {
                return new InferenceRoute(properties);
            };

            InferenceRoute.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.previous != null && $Object.hasOwnProperty.call(message, "previous") && message.previous !== "")
                    writer.uint32(10).string(message.previous);
                if (message.next != null && $Object.hasOwnProperty.call(message, "next"))
                    $root.swarmtune.v1.NextHop.encode(message.next, writer.uint32(18).fork(), _depth + 1).ldelim();
                if (message.replay != null && $Object.hasOwnProperty.call(message, "replay") && message.replay !== false)
                    writer.uint32(24).bool(message.replay);
                if (message.keepNext != null && $Object.hasOwnProperty.call(message, "keepNext") && message.keepNext !== false)
                    writer.uint32(32).bool(message.keepNext);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            InferenceRoute.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.InferenceRoute();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.previous = value;
                            else
                                delete message.previous;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            message.next = $root.swarmtune.v1.NextHop.decode(reader, reader.size(), $undefined, _depth + 1, message.next);
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.bool())
                                message.replay = value;
                            else
                                delete message.replay;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.bool())
                                message.keepNext = value;
                            else
                                delete message.keepNext;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            InferenceRoute.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.InferenceRoute)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.InferenceRoute: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.InferenceRoute();
                if (object.previous != null)
                    if (typeof object.previous !== "string" || object.previous.length)
                        message.previous = $String(object.previous);
                if (object.next != null) {
                    if (!$util.isObject(object.next))
                        throw $TypeError(".swarmtune.v1.InferenceRoute.next: object expected");
                    message.next = $root.swarmtune.v1.NextHop.fromObject(object.next, _depth + 1);
                }
                if (object.replay != null)
                    if (object.replay)
                        message.replay = $Boolean(object.replay);
                if (object.keepNext != null)
                    if (object.keepNext)
                        message.keepNext = $Boolean(object.keepNext);
                return message;
            };

            InferenceRoute.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults) {
                    object.previous = "";
                    object.next = null;
                    object.replay = false;
                    object.keepNext = false;
                }
                if (message.previous != null && $Object.hasOwnProperty.call(message, "previous"))
                    object.previous = message.previous;
                if (message.next != null && $Object.hasOwnProperty.call(message, "next"))
                    object.next = $root.swarmtune.v1.NextHop.toObject(message.next, options, _depth + 1);
                if (message.replay != null && $Object.hasOwnProperty.call(message, "replay"))
                    object.replay = message.replay;
                if (message.keepNext != null && $Object.hasOwnProperty.call(message, "keepNext"))
                    object.keepNext = message.keepNext;
                return object;
            };

            InferenceRoute.prototype.toJSON = function() {
                return InferenceRoute.toObject(this, $protobuf.util.toJSONOptions);
            };

            return InferenceRoute;
        })();

        v1.InferenceNotice = (function() {

            const InferenceNotice = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            InferenceNotice.prototype.code = "";
            InferenceNotice.prototype.message = "";
            InferenceNotice.prototype.step = 0;

            InferenceNotice.create = function(properties) {
                return new InferenceNotice(properties);
            };

            InferenceNotice.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.code != null && $Object.hasOwnProperty.call(message, "code") && message.code !== "")
                    writer.uint32(10).string(message.code);
                if (message.message != null && $Object.hasOwnProperty.call(message, "message") && message.message !== "")
                    writer.uint32(18).string(message.message);
                if (message.step != null && $Object.hasOwnProperty.call(message, "step") && message.step !== 0)
                    writer.uint32(24).uint32(message.step);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            InferenceNotice.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.InferenceNotice();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.code = value;
                            else
                                delete message.code;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.message = value;
                            else
                                delete message.message;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.step = value;
                            else
                                delete message.step;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            InferenceNotice.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.InferenceNotice)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.InferenceNotice: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.InferenceNotice();
                if (object.code != null)
                    if (typeof object.code !== "string" || object.code.length)
                        message.code = $String(object.code);
                if (object.message != null)
                    if (typeof object.message !== "string" || object.message.length)
                        message.message = $String(object.message);
                if (object.step != null)
                    if ($Number(object.step) !== 0)
                        message.step = object.step >>> 0;
                return message;
            };

            InferenceNotice.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults) {
                    object.code = "";
                    object.message = "";
                    object.step = 0;
                }
                if (message.code != null && $Object.hasOwnProperty.call(message, "code"))
                    object.code = message.code;
                if (message.message != null && $Object.hasOwnProperty.call(message, "message"))
                    object.message = message.message;
                if (message.step != null && $Object.hasOwnProperty.call(message, "step"))
                    object.step = message.step;
                return object;
            };

            InferenceNotice.prototype.toJSON = function() {
                return InferenceNotice.toObject(this, $protobuf.util.toJSONOptions);
            };

            return InferenceNotice;
        })();

        v1.PushOpen = (function() {

            const PushOpen = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            PushOpen.prototype.session = $util.newBuffer([]);

            PushOpen.create = function(properties) {
                return new PushOpen(properties);
            };

            PushOpen.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.session != null && $Object.hasOwnProperty.call(message, "session") && message.session.length)
                    writer.uint32(10).bytes(message.session);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            PushOpen.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.PushOpen();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.session = value;
                            else
                                delete message.session;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            PushOpen.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.PushOpen)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.PushOpen: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.PushOpen();
                if (object.session != null)
                    if (object.session.length)
                        if (typeof object.session === "string")
                            $util.base64.decode(object.session, message.session = $util.newBuffer($util.base64.length(object.session)), 0);
                        else if (object.session.length >= 0)
                            message.session = object.session;
                return message;
            };

            PushOpen.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults)
                    if (options.bytes === $String)
                        object.session = "";
                    else {
                        object.session = [];
                        if (options.bytes !== $Array)
                            object.session = $util.newBuffer(object.session);
                    }
                if (message.session != null && $Object.hasOwnProperty.call(message, "session"))
                    object.session = options.bytes === $String ? $util.base64.encode(message.session, 0, message.session.length) : options.bytes === $Array ? $Array.prototype.slice.call(message.session) : message.session;
                return object;
            };

            PushOpen.prototype.toJSON = function() {
                return PushOpen.toObject(this, $protobuf.util.toJSONOptions);
            };

            return PushOpen;
        })();

        v1.TensorsRequest = (function() {

            const TensorsRequest = function (properties) {
                this.hashes = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            TensorsRequest.prototype.model = "";
            TensorsRequest.prototype.file = "";
            TensorsRequest.prototype.tensor = "";
            TensorsRequest.prototype.firstByte = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            TensorsRequest.prototype.endByte = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            TensorsRequest.prototype.hashes = $util.emptyArray;

            TensorsRequest.create = function(properties) {
                return new TensorsRequest(properties);
            };

            TensorsRequest.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.model != null && $Object.hasOwnProperty.call(message, "model") && message.model !== "")
                    writer.uint32(10).string(message.model);
                if (message.file != null && $Object.hasOwnProperty.call(message, "file") && message.file !== "")
                    writer.uint32(18).string(message.file);
                if (message.tensor != null && $Object.hasOwnProperty.call(message, "tensor") && message.tensor !== "")
                    writer.uint32(26).string(message.tensor);
                if (message.firstByte != null && $Object.hasOwnProperty.call(message, "firstByte") && (typeof message.firstByte === "object" ? message.firstByte.low || message.firstByte.high : message.firstByte !== 0))
                    writer.uint32(32).uint64(message.firstByte);
                if (message.endByte != null && $Object.hasOwnProperty.call(message, "endByte") && (typeof message.endByte === "object" ? message.endByte.low || message.endByte.high : message.endByte !== 0))
                    writer.uint32(40).uint64(message.endByte);
                if (message.hashes != null && message.hashes.length)
                    for (let i = 0; i < message.hashes.length; ++i)
                        writer.uint32(50).string(message.hashes[i]);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            TensorsRequest.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.TensorsRequest();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.model = value;
                            else
                                delete message.model;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.file = value;
                            else
                                delete message.file;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.tensor = value;
                            else
                                delete message.tensor;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.firstByte = value;
                            else
                                delete message.firstByte;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.endByte = value;
                            else
                                delete message.endByte;
                            continue;
                        }
                    case 6: {
                            if (wireType !== 2)
                                break;
                            if (!(message.hashes && message.hashes.length))
                                message.hashes = [];
                            message.hashes.push(reader.stringVerify());
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            TensorsRequest.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.TensorsRequest)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.TensorsRequest: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.TensorsRequest();
                if (object.model != null)
                    if (typeof object.model !== "string" || object.model.length)
                        message.model = $String(object.model);
                if (object.file != null)
                    if (typeof object.file !== "string" || object.file.length)
                        message.file = $String(object.file);
                if (object.tensor != null)
                    if (typeof object.tensor !== "string" || object.tensor.length)
                        message.tensor = $String(object.tensor);
                if (object.firstByte != null)
                    if (typeof object.firstByte === "object" ? object.firstByte.low || object.firstByte.high : $Number(object.firstByte) !== 0)
                        if ($util.Long)
                            message.firstByte = $util.Long.fromValue(object.firstByte, true);
                        else if (typeof object.firstByte === "string")
                            message.firstByte = $parseInt(object.firstByte, 10);
                        else if (typeof object.firstByte === "number")
                            message.firstByte = object.firstByte;
                        else if (typeof object.firstByte === "object")
                            message.firstByte = new $util.LongBits(object.firstByte.low >>> 0, object.firstByte.high >>> 0).toNumber(true);
                if (object.endByte != null)
                    if (typeof object.endByte === "object" ? object.endByte.low || object.endByte.high : $Number(object.endByte) !== 0)
                        if ($util.Long)
                            message.endByte = $util.Long.fromValue(object.endByte, true);
                        else if (typeof object.endByte === "string")
                            message.endByte = $parseInt(object.endByte, 10);
                        else if (typeof object.endByte === "number")
                            message.endByte = object.endByte;
                        else if (typeof object.endByte === "object")
                            message.endByte = new $util.LongBits(object.endByte.low >>> 0, object.endByte.high >>> 0).toNumber(true);
                if (object.hashes) {
                    if (!$Array.isArray(object.hashes))
                        throw $TypeError(".swarmtune.v1.TensorsRequest.hashes: array expected");
                    message.hashes = $Array(object.hashes.length);
                    for (let i = 0; i < object.hashes.length; ++i)
                        message.hashes[i] = $String(object.hashes[i]);
                }
                return message;
            };

            TensorsRequest.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.arrays || options.defaults)
                    object.hashes = [];
                if (options.defaults) {
                    object.model = "";
                    object.file = "";
                    object.tensor = "";
                    if ($util.Long) {
                        let long = new $util.Long(0, 0, true);
                        object.firstByte = options.longs === $String ? long.toString() : options.longs === $Number ? long.toNumber() : typeof $BigInt !== "undefined" && options.longs === $BigInt ? long.toBigInt() : long;
                    } else
                        object.firstByte = options.longs === $String ? "0" : typeof $BigInt !== "undefined" && options.longs === $BigInt ? $BigInt("0") : 0;
                    if ($util.Long) {
                        let long = new $util.Long(0, 0, true);
                        object.endByte = options.longs === $String ? long.toString() : options.longs === $Number ? long.toNumber() : typeof $BigInt !== "undefined" && options.longs === $BigInt ? long.toBigInt() : long;
                    } else
                        object.endByte = options.longs === $String ? "0" : typeof $BigInt !== "undefined" && options.longs === $BigInt ? $BigInt("0") : 0;
                }
                if (message.model != null && $Object.hasOwnProperty.call(message, "model"))
                    object.model = message.model;
                if (message.file != null && $Object.hasOwnProperty.call(message, "file"))
                    object.file = message.file;
                if (message.tensor != null && $Object.hasOwnProperty.call(message, "tensor"))
                    object.tensor = message.tensor;
                if (message.firstByte != null && $Object.hasOwnProperty.call(message, "firstByte"))
                    if (typeof $BigInt !== "undefined" && options.longs === $BigInt)
                        object.firstByte = typeof message.firstByte === "number" ? $BigInt(message.firstByte) : $util.Long.fromBits(message.firstByte.low >>> 0, message.firstByte.high >>> 0, true).toBigInt();
                    else if (typeof message.firstByte === "number")
                        object.firstByte = options.longs === $String ? $String(message.firstByte) : message.firstByte;
                    else
                        object.firstByte = options.longs === $String ? $util.Long.prototype.toString.call(message.firstByte) : options.longs === $Number ? new $util.LongBits(message.firstByte.low >>> 0, message.firstByte.high >>> 0).toNumber(true) : message.firstByte;
                if (message.endByte != null && $Object.hasOwnProperty.call(message, "endByte"))
                    if (typeof $BigInt !== "undefined" && options.longs === $BigInt)
                        object.endByte = typeof message.endByte === "number" ? $BigInt(message.endByte) : $util.Long.fromBits(message.endByte.low >>> 0, message.endByte.high >>> 0, true).toBigInt();
                    else if (typeof message.endByte === "number")
                        object.endByte = options.longs === $String ? $String(message.endByte) : message.endByte;
                    else
                        object.endByte = options.longs === $String ? $util.Long.prototype.toString.call(message.endByte) : options.longs === $Number ? new $util.LongBits(message.endByte.low >>> 0, message.endByte.high >>> 0).toNumber(true) : message.endByte;
                if (message.hashes && message.hashes.length) {
                    object.hashes = $Array(message.hashes.length);
                    for (let j = 0; j < message.hashes.length; ++j)
                        object.hashes[j] = message.hashes[j];
                }
                return object;
            };

            TensorsRequest.prototype.toJSON = function() {
                return TensorsRequest.toObject(this, $protobuf.util.toJSONOptions);
            };

            return TensorsRequest;
        })();

        v1.TensorsResponse = (function() {

            const TensorsResponse = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            TensorsResponse.prototype.data = $util.newBuffer([]);

            TensorsResponse.create = function(properties) {
                return new TensorsResponse(properties);
            };

            TensorsResponse.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.data != null && $Object.hasOwnProperty.call(message, "data") && message.data.length)
                    writer.uint32(10).bytes(message.data);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            TensorsResponse.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.TensorsResponse();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.data = value;
                            else
                                delete message.data;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            TensorsResponse.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.TensorsResponse)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.TensorsResponse: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.TensorsResponse();
                if (object.data != null)
                    if (object.data.length)
                        if (typeof object.data === "string")
                            $util.base64.decode(object.data, message.data = $util.newBuffer($util.base64.length(object.data)), 0);
                        else if (object.data.length >= 0)
                            message.data = object.data;
                return message;
            };

            TensorsResponse.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults)
                    if (options.bytes === $String)
                        object.data = "";
                    else {
                        object.data = [];
                        if (options.bytes !== $Array)
                            object.data = $util.newBuffer(object.data);
                    }
                if (message.data != null && $Object.hasOwnProperty.call(message, "data"))
                    object.data = options.bytes === $String ? $util.base64.encode(message.data, 0, message.data.length) : options.bytes === $Array ? $Array.prototype.slice.call(message.data) : message.data;
                return object;
            };

            TensorsResponse.prototype.toJSON = function() {
                return TensorsResponse.toObject(this, $protobuf.util.toJSONOptions);
            };

            return TensorsResponse;
        })();

        v1.ServerState = (function() {
            const valuesById = $Object.create(null), values = $Object.create(valuesById);
            values[valuesById[0] = "JOINING"] = 0;
            values[valuesById[1] = "ONLINE"] = 1;
            values[valuesById[2] = "DRAINING"] = 2;
            values[valuesById[3] = "OFFLINE"] = 3;
            values[valuesById[4] = "PAUSED"] = 4;
            return values;
        })();

        v1.Announcement = (function() {

            const Announcement = function (properties) {
                this.addresses = [];
                this.trips = [];
                this.protocols = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Announcement.prototype.peerId = $util.newBuffer([]);
            Announcement.prototype.model = "";
            Announcement.prototype.modelName = "";
            Announcement.prototype.totalBlocks = 0;
            Announcement.prototype.firstBlock = 0;
            Announcement.prototype.endBlock = 0;
            Announcement.prototype.state = 0;
            Announcement.prototype.forwardRate = 0;
            Announcement.prototype.decodeRate = 0;
            Announcement.prototype.cacheBytesFree = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            Announcement.prototype.dtype = "";
            Announcement.prototype.version = "";
            Announcement.prototype.addresses = $util.emptyArray;
            Announcement.prototype.sequence = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            Announcement.prototype.expiresAt = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            Announcement.prototype.queueMs = 0;
            Announcement.prototype.trainingQueueMs = 0;
            Announcement.prototype.trips = $util.emptyArray;
            Announcement.prototype.requestBytes = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            Announcement.prototype.serverName = "";
            Announcement.prototype.protocols = $util.emptyArray;
            Announcement.prototype.device = "";
            Announcement.prototype.region = "";
            Announcement.prototype.encoderBlocks = 0;

            Announcement.create = function(properties) {
                return new Announcement(properties);
            };

            Announcement.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.peerId != null && $Object.hasOwnProperty.call(message, "peerId") && message.peerId.length)
                    writer.uint32(10).bytes(message.peerId);
                if (message.model != null && $Object.hasOwnProperty.call(message, "model") && message.model !== "")
                    writer.uint32(18).string(message.model);
                if (message.modelName != null && $Object.hasOwnProperty.call(message, "modelName") && message.modelName !== "")
                    writer.uint32(26).string(message.modelName);
                if (message.totalBlocks != null && $Object.hasOwnProperty.call(message, "totalBlocks") && message.totalBlocks !== 0)
                    writer.uint32(32).uint32(message.totalBlocks);
                if (message.firstBlock != null && $Object.hasOwnProperty.call(message, "firstBlock") && message.firstBlock !== 0)
                    writer.uint32(40).uint32(message.firstBlock);
                if (message.endBlock != null && $Object.hasOwnProperty.call(message, "endBlock") && message.endBlock !== 0)
                    writer.uint32(48).uint32(message.endBlock);
                if (message.state != null && $Object.hasOwnProperty.call(message, "state") && message.state !== 0)
                    writer.uint32(56).int32(message.state);
                if (message.forwardRate != null && $Object.hasOwnProperty.call(message, "forwardRate") && !$Object.is(message.forwardRate, 0))
                    writer.uint32(69).float(message.forwardRate);
                if (message.decodeRate != null && $Object.hasOwnProperty.call(message, "decodeRate") && !$Object.is(message.decodeRate, 0))
                    writer.uint32(77).float(message.decodeRate);
                if (message.cacheBytesFree != null && $Object.hasOwnProperty.call(message, "cacheBytesFree") && (typeof message.cacheBytesFree === "object" ? message.cacheBytesFree.low || message.cacheBytesFree.high : message.cacheBytesFree !== 0))
                    writer.uint32(80).uint64(message.cacheBytesFree);
                if (message.dtype != null && $Object.hasOwnProperty.call(message, "dtype") && message.dtype !== "")
                    writer.uint32(90).string(message.dtype);
                if (message.version != null && $Object.hasOwnProperty.call(message, "version") && message.version !== "")
                    writer.uint32(98).string(message.version);
                if (message.addresses != null && message.addresses.length)
                    for (let i = 0; i < message.addresses.length; ++i)
                        writer.uint32(106).string(message.addresses[i]);
                if (message.sequence != null && $Object.hasOwnProperty.call(message, "sequence") && (typeof message.sequence === "object" ? message.sequence.low || message.sequence.high : message.sequence !== 0))
                    writer.uint32(112).uint64(message.sequence);
                if (message.expiresAt != null && $Object.hasOwnProperty.call(message, "expiresAt") && (typeof message.expiresAt === "object" ? message.expiresAt.low || message.expiresAt.high : message.expiresAt !== 0))
                    writer.uint32(120).uint64(message.expiresAt);
                if (message.queueMs != null && $Object.hasOwnProperty.call(message, "queueMs") && !$Object.is(message.queueMs, 0))
                    writer.uint32(133).float(message.queueMs);
                if (message.trainingQueueMs != null && $Object.hasOwnProperty.call(message, "trainingQueueMs") && !$Object.is(message.trainingQueueMs, 0))
                    writer.uint32(141).float(message.trainingQueueMs);
                if (message.trips != null && message.trips.length)
                    for (let i = 0; i < message.trips.length; ++i)
                        $root.swarmtune.v1.Trip.encode(message.trips[i], writer.uint32(146).fork(), _depth + 1).ldelim();
                if (message.requestBytes != null && $Object.hasOwnProperty.call(message, "requestBytes") && (typeof message.requestBytes === "object" ? message.requestBytes.low || message.requestBytes.high : message.requestBytes !== 0))
                    writer.uint32(152).uint64(message.requestBytes);
                if (message.serverName != null && $Object.hasOwnProperty.call(message, "serverName") && message.serverName !== "")
                    writer.uint32(162).string(message.serverName);
                if (message.protocols != null && message.protocols.length)
                    for (let i = 0; i < message.protocols.length; ++i)
                        writer.uint32(170).string(message.protocols[i]);
                if (message.device != null && $Object.hasOwnProperty.call(message, "device") && message.device !== "")
                    writer.uint32(178).string(message.device);
                if (message.region != null && $Object.hasOwnProperty.call(message, "region") && message.region !== "")
                    writer.uint32(186).string(message.region);
                if (message.encoderBlocks != null && $Object.hasOwnProperty.call(message, "encoderBlocks") && message.encoderBlocks !== 0)
                    writer.uint32(192).uint32(message.encoderBlocks);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Announcement.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.Announcement();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.peerId = value;
                            else
                                delete message.peerId;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.model = value;
                            else
                                delete message.model;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.modelName = value;
                            else
                                delete message.modelName;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.totalBlocks = value;
                            else
                                delete message.totalBlocks;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.firstBlock = value;
                            else
                                delete message.firstBlock;
                            continue;
                        }
                    case 6: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.endBlock = value;
                            else
                                delete message.endBlock;
                            continue;
                        }
                    case 7: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.state = value;
                            else
                                delete message.state;
                            continue;
                        }
                    case 8: {
                            if (wireType !== 5)
                                break;
                            if (!$Object.is(value = reader.float(), 0))
                                message.forwardRate = value;
                            else
                                delete message.forwardRate;
                            continue;
                        }
                    case 9: {
                            if (wireType !== 5)
                                break;
                            if (!$Object.is(value = reader.float(), 0))
                                message.decodeRate = value;
                            else
                                delete message.decodeRate;
                            continue;
                        }
                    case 10: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.cacheBytesFree = value;
                            else
                                delete message.cacheBytesFree;
                            continue;
                        }
                    case 11: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.dtype = value;
                            else
                                delete message.dtype;
                            continue;
                        }
                    case 12: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.version = value;
                            else
                                delete message.version;
                            continue;
                        }
                    case 13: {
                            if (wireType !== 2)
                                break;
                            if (!(message.addresses && message.addresses.length))
                                message.addresses = [];
                            message.addresses.push(reader.stringVerify());
                            continue;
                        }
                    case 14: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.sequence = value;
                            else
                                delete message.sequence;
                            continue;
                        }
                    case 15: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.expiresAt = value;
                            else
                                delete message.expiresAt;
                            continue;
                        }
                    case 16: {
                            if (wireType !== 5)
                                break;
                            if (!$Object.is(value = reader.float(), 0))
                                message.queueMs = value;
                            else
                                delete message.queueMs;
                            continue;
                        }
                    case 17: {
                            if (wireType !== 5)
                                break;
                            if (!$Object.is(value = reader.float(), 0))
                                message.trainingQueueMs = value;
                            else
                                delete message.trainingQueueMs;
                            continue;
                        }
                    case 18: {
                            if (wireType !== 2)
                                break;
                            if (!(message.trips && message.trips.length))
                                message.trips = [];
                            message.trips.push($root.swarmtune.v1.Trip.decode(reader, reader.size(), $undefined, _depth + 1));
                            continue;
                        }
                    case 19: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.requestBytes = value;
                            else
                                delete message.requestBytes;
                            continue;
                        }
                    case 20: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.serverName = value;
                            else
                                delete message.serverName;
                            continue;
                        }
                    case 21: {
                            if (wireType !== 2)
                                break;
                            if (!(message.protocols && message.protocols.length))
                                message.protocols = [];
                            message.protocols.push(reader.stringVerify());
                            continue;
                        }
                    case 22: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.device = value;
                            else
                                delete message.device;
                            continue;
                        }
                    case 23: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.region = value;
                            else
                                delete message.region;
                            continue;
                        }
                    case 24: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.encoderBlocks = value;
                            else
                                delete message.encoderBlocks;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            Announcement.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.Announcement)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.Announcement: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.Announcement();
                if (object.peerId != null)
                    if (object.peerId.length)
                        if (typeof object.peerId === "string")
                            $util.base64.decode(object.peerId, message.peerId = $util.newBuffer($util.base64.length(object.peerId)), 0);
                        else if (object.peerId.length >= 0)
                            message.peerId = object.peerId;
                if (object.model != null)
                    if (typeof object.model !== "string" || object.model.length)
                        message.model = $String(object.model);
                if (object.modelName != null)
                    if (typeof object.modelName !== "string" || object.modelName.length)
                        message.modelName = $String(object.modelName);
                if (object.totalBlocks != null)
                    if ($Number(object.totalBlocks) !== 0)
                        message.totalBlocks = object.totalBlocks >>> 0;
                if (object.firstBlock != null)
                    if ($Number(object.firstBlock) !== 0)
                        message.firstBlock = object.firstBlock >>> 0;
                if (object.endBlock != null)
                    if ($Number(object.endBlock) !== 0)
                        message.endBlock = object.endBlock >>> 0;
                if (object.state !== 0 && (typeof object.state !== "string" || $root.swarmtune.v1.ServerState[object.state] !== 0))
                    switch (object.state) {
                    case "JOINING":
                    case 0:
                        message.state = 0;
                        break;
                    case "ONLINE":
                    case 1:
                        message.state = 1;
                        break;
                    case "DRAINING":
                    case 2:
                        message.state = 2;
                        break;
                    case "OFFLINE":
                    case 3:
                        message.state = 3;
                        break;
                    case "PAUSED":
                    case 4:
                        message.state = 4;
                        break;
                    default:
                        if (typeof object.state === "number" && (object.state | 0) === object.state)
                            message.state = object.state;
                    }
                if (object.forwardRate != null)
                    if (!$Object.is($Number(object.forwardRate), 0))
                        message.forwardRate = $Number(object.forwardRate);
                if (object.decodeRate != null)
                    if (!$Object.is($Number(object.decodeRate), 0))
                        message.decodeRate = $Number(object.decodeRate);
                if (object.cacheBytesFree != null)
                    if (typeof object.cacheBytesFree === "object" ? object.cacheBytesFree.low || object.cacheBytesFree.high : $Number(object.cacheBytesFree) !== 0)
                        if ($util.Long)
                            message.cacheBytesFree = $util.Long.fromValue(object.cacheBytesFree, true);
                        else if (typeof object.cacheBytesFree === "string")
                            message.cacheBytesFree = $parseInt(object.cacheBytesFree, 10);
                        else if (typeof object.cacheBytesFree === "number")
                            message.cacheBytesFree = object.cacheBytesFree;
                        else if (typeof object.cacheBytesFree === "object")
                            message.cacheBytesFree = new $util.LongBits(object.cacheBytesFree.low >>> 0, object.cacheBytesFree.high >>> 0).toNumber(true);
                if (object.dtype != null)
                    if (typeof object.dtype !== "string" || object.dtype.length)
                        message.dtype = $String(object.dtype);
                if (object.version != null)
                    if (typeof object.version !== "string" || object.version.length)
                        message.version = $String(object.version);
                if (object.addresses) {
                    if (!$Array.isArray(object.addresses))
                        throw $TypeError(".swarmtune.v1.Announcement.addresses: array expected");
                    message.addresses = $Array(object.addresses.length);
                    for (let i = 0; i < object.addresses.length; ++i)
                        message.addresses[i] = $String(object.addresses[i]);
                }
                if (object.sequence != null)
                    if (typeof object.sequence === "object" ? object.sequence.low || object.sequence.high : $Number(object.sequence) !== 0)
                        if ($util.Long)
                            message.sequence = $util.Long.fromValue(object.sequence, true);
                        else if (typeof object.sequence === "string")
                            message.sequence = $parseInt(object.sequence, 10);
                        else if (typeof object.sequence === "number")
                            message.sequence = object.sequence;
                        else if (typeof object.sequence === "object")
                            message.sequence = new $util.LongBits(object.sequence.low >>> 0, object.sequence.high >>> 0).toNumber(true);
                if (object.expiresAt != null)
                    if (typeof object.expiresAt === "object" ? object.expiresAt.low || object.expiresAt.high : $Number(object.expiresAt) !== 0)
                        if ($util.Long)
                            message.expiresAt = $util.Long.fromValue(object.expiresAt, true);
                        else if (typeof object.expiresAt === "string")
                            message.expiresAt = $parseInt(object.expiresAt, 10);
                        else if (typeof object.expiresAt === "number")
                            message.expiresAt = object.expiresAt;
                        else if (typeof object.expiresAt === "object")
                            message.expiresAt = new $util.LongBits(object.expiresAt.low >>> 0, object.expiresAt.high >>> 0).toNumber(true);
                if (object.queueMs != null)
                    if (!$Object.is($Number(object.queueMs), 0))
                        message.queueMs = $Number(object.queueMs);
                if (object.trainingQueueMs != null)
                    if (!$Object.is($Number(object.trainingQueueMs), 0))
                        message.trainingQueueMs = $Number(object.trainingQueueMs);
                if (object.trips) {
                    if (!$Array.isArray(object.trips))
                        throw $TypeError(".swarmtune.v1.Announcement.trips: array expected");
                    message.trips = $Array(object.trips.length);
                    for (let i = 0; i < object.trips.length; ++i) {
                        if (!$util.isObject(object.trips[i]))
                            throw $TypeError(".swarmtune.v1.Announcement.trips: object expected");
                        message.trips[i] = $root.swarmtune.v1.Trip.fromObject(object.trips[i], _depth + 1);
                    }
                }
                if (object.requestBytes != null)
                    if (typeof object.requestBytes === "object" ? object.requestBytes.low || object.requestBytes.high : $Number(object.requestBytes) !== 0)
                        if ($util.Long)
                            message.requestBytes = $util.Long.fromValue(object.requestBytes, true);
                        else if (typeof object.requestBytes === "string")
                            message.requestBytes = $parseInt(object.requestBytes, 10);
                        else if (typeof object.requestBytes === "number")
                            message.requestBytes = object.requestBytes;
                        else if (typeof object.requestBytes === "object")
                            message.requestBytes = new $util.LongBits(object.requestBytes.low >>> 0, object.requestBytes.high >>> 0).toNumber(true);
                if (object.serverName != null)
                    if (typeof object.serverName !== "string" || object.serverName.length)
                        message.serverName = $String(object.serverName);
                if (object.protocols) {
                    if (!$Array.isArray(object.protocols))
                        throw $TypeError(".swarmtune.v1.Announcement.protocols: array expected");
                    message.protocols = $Array(object.protocols.length);
                    for (let i = 0; i < object.protocols.length; ++i)
                        message.protocols[i] = $String(object.protocols[i]);
                }
                if (object.device != null)
                    if (typeof object.device !== "string" || object.device.length)
                        message.device = $String(object.device);
                if (object.region != null)
                    if (typeof object.region !== "string" || object.region.length)
                        message.region = $String(object.region);
                if (object.encoderBlocks != null)
                    if ($Number(object.encoderBlocks) !== 0)
                        message.encoderBlocks = object.encoderBlocks >>> 0;
                return message;
            };

            Announcement.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.arrays || options.defaults) {
                    object.addresses = [];
                    object.trips = [];
                    object.protocols = [];
                }
                if (options.defaults) {
                    if (options.bytes === $String)
                        object.peerId = "";
                    else {
                        object.peerId = [];
                        if (options.bytes !== $Array)
                            object.peerId = $util.newBuffer(object.peerId);
                    }
                    object.model = "";
                    object.modelName = "";
                    object.totalBlocks = 0;
                    object.firstBlock = 0;
                    object.endBlock = 0;
                    object.state = options.enums === $String ? "JOINING" : 0;
                    object.forwardRate = 0;
                    object.decodeRate = 0;
                    if ($util.Long) {
                        let long = new $util.Long(0, 0, true);
                        object.cacheBytesFree = options.longs === $String ? long.toString() : options.longs === $Number ? long.toNumber() : typeof $BigInt !== "undefined" && options.longs === $BigInt ? long.toBigInt() : long;
                    } else
                        object.cacheBytesFree = options.longs === $String ? "0" : typeof $BigInt !== "undefined" && options.longs === $BigInt ? $BigInt("0") : 0;
                    object.dtype = "";
                    object.version = "";
                    if ($util.Long) {
                        let long = new $util.Long(0, 0, true);
                        object.sequence = options.longs === $String ? long.toString() : options.longs === $Number ? long.toNumber() : typeof $BigInt !== "undefined" && options.longs === $BigInt ? long.toBigInt() : long;
                    } else
                        object.sequence = options.longs === $String ? "0" : typeof $BigInt !== "undefined" && options.longs === $BigInt ? $BigInt("0") : 0;
                    if ($util.Long) {
                        let long = new $util.Long(0, 0, true);
                        object.expiresAt = options.longs === $String ? long.toString() : options.longs === $Number ? long.toNumber() : typeof $BigInt !== "undefined" && options.longs === $BigInt ? long.toBigInt() : long;
                    } else
                        object.expiresAt = options.longs === $String ? "0" : typeof $BigInt !== "undefined" && options.longs === $BigInt ? $BigInt("0") : 0;
                    object.queueMs = 0;
                    object.trainingQueueMs = 0;
                    if ($util.Long) {
                        let long = new $util.Long(0, 0, true);
                        object.requestBytes = options.longs === $String ? long.toString() : options.longs === $Number ? long.toNumber() : typeof $BigInt !== "undefined" && options.longs === $BigInt ? long.toBigInt() : long;
                    } else
                        object.requestBytes = options.longs === $String ? "0" : typeof $BigInt !== "undefined" && options.longs === $BigInt ? $BigInt("0") : 0;
                    object.serverName = "";
                    object.device = "";
                    object.region = "";
                    object.encoderBlocks = 0;
                }
                if (message.peerId != null && $Object.hasOwnProperty.call(message, "peerId"))
                    object.peerId = options.bytes === $String ? $util.base64.encode(message.peerId, 0, message.peerId.length) : options.bytes === $Array ? $Array.prototype.slice.call(message.peerId) : message.peerId;
                if (message.model != null && $Object.hasOwnProperty.call(message, "model"))
                    object.model = message.model;
                if (message.modelName != null && $Object.hasOwnProperty.call(message, "modelName"))
                    object.modelName = message.modelName;
                if (message.totalBlocks != null && $Object.hasOwnProperty.call(message, "totalBlocks"))
                    object.totalBlocks = message.totalBlocks;
                if (message.firstBlock != null && $Object.hasOwnProperty.call(message, "firstBlock"))
                    object.firstBlock = message.firstBlock;
                if (message.endBlock != null && $Object.hasOwnProperty.call(message, "endBlock"))
                    object.endBlock = message.endBlock;
                if (message.state != null && $Object.hasOwnProperty.call(message, "state"))
                    object.state = options.enums === $String ? $root.swarmtune.v1.ServerState[message.state] === $undefined ? message.state : $root.swarmtune.v1.ServerState[message.state] : message.state;
                if (message.forwardRate != null && $Object.hasOwnProperty.call(message, "forwardRate"))
                    object.forwardRate = options.json && !$isFinite(message.forwardRate) ? $String(message.forwardRate) : message.forwardRate;
                if (message.decodeRate != null && $Object.hasOwnProperty.call(message, "decodeRate"))
                    object.decodeRate = options.json && !$isFinite(message.decodeRate) ? $String(message.decodeRate) : message.decodeRate;
                if (message.cacheBytesFree != null && $Object.hasOwnProperty.call(message, "cacheBytesFree"))
                    if (typeof $BigInt !== "undefined" && options.longs === $BigInt)
                        object.cacheBytesFree = typeof message.cacheBytesFree === "number" ? $BigInt(message.cacheBytesFree) : $util.Long.fromBits(message.cacheBytesFree.low >>> 0, message.cacheBytesFree.high >>> 0, true).toBigInt();
                    else if (typeof message.cacheBytesFree === "number")
                        object.cacheBytesFree = options.longs === $String ? $String(message.cacheBytesFree) : message.cacheBytesFree;
                    else
                        object.cacheBytesFree = options.longs === $String ? $util.Long.prototype.toString.call(message.cacheBytesFree) : options.longs === $Number ? new $util.LongBits(message.cacheBytesFree.low >>> 0, message.cacheBytesFree.high >>> 0).toNumber(true) : message.cacheBytesFree;
                if (message.dtype != null && $Object.hasOwnProperty.call(message, "dtype"))
                    object.dtype = message.dtype;
                if (message.version != null && $Object.hasOwnProperty.call(message, "version"))
                    object.version = message.version;
                if (message.addresses && message.addresses.length) {
                    object.addresses = $Array(message.addresses.length);
                    for (let j = 0; j < message.addresses.length; ++j)
                        object.addresses[j] = message.addresses[j];
                }
                if (message.sequence != null && $Object.hasOwnProperty.call(message, "sequence"))
                    if (typeof $BigInt !== "undefined" && options.longs === $BigInt)
                        object.sequence = typeof message.sequence === "number" ? $BigInt(message.sequence) : $util.Long.fromBits(message.sequence.low >>> 0, message.sequence.high >>> 0, true).toBigInt();
                    else if (typeof message.sequence === "number")
                        object.sequence = options.longs === $String ? $String(message.sequence) : message.sequence;
                    else
                        object.sequence = options.longs === $String ? $util.Long.prototype.toString.call(message.sequence) : options.longs === $Number ? new $util.LongBits(message.sequence.low >>> 0, message.sequence.high >>> 0).toNumber(true) : message.sequence;
                if (message.expiresAt != null && $Object.hasOwnProperty.call(message, "expiresAt"))
                    if (typeof $BigInt !== "undefined" && options.longs === $BigInt)
                        object.expiresAt = typeof message.expiresAt === "number" ? $BigInt(message.expiresAt) : $util.Long.fromBits(message.expiresAt.low >>> 0, message.expiresAt.high >>> 0, true).toBigInt();
                    else if (typeof message.expiresAt === "number")
                        object.expiresAt = options.longs === $String ? $String(message.expiresAt) : message.expiresAt;
                    else
                        object.expiresAt = options.longs === $String ? $util.Long.prototype.toString.call(message.expiresAt) : options.longs === $Number ? new $util.LongBits(message.expiresAt.low >>> 0, message.expiresAt.high >>> 0).toNumber(true) : message.expiresAt;
                if (message.queueMs != null && $Object.hasOwnProperty.call(message, "queueMs"))
                    object.queueMs = options.json && !$isFinite(message.queueMs) ? $String(message.queueMs) : message.queueMs;
                if (message.trainingQueueMs != null && $Object.hasOwnProperty.call(message, "trainingQueueMs"))
                    object.trainingQueueMs = options.json && !$isFinite(message.trainingQueueMs) ? $String(message.trainingQueueMs) : message.trainingQueueMs;
                if (message.trips && message.trips.length) {
                    object.trips = $Array(message.trips.length);
                    for (let j = 0; j < message.trips.length; ++j)
                        object.trips[j] = $root.swarmtune.v1.Trip.toObject(message.trips[j], options, _depth + 1);
                }
                if (message.requestBytes != null && $Object.hasOwnProperty.call(message, "requestBytes"))
                    if (typeof $BigInt !== "undefined" && options.longs === $BigInt)
                        object.requestBytes = typeof message.requestBytes === "number" ? $BigInt(message.requestBytes) : $util.Long.fromBits(message.requestBytes.low >>> 0, message.requestBytes.high >>> 0, true).toBigInt();
                    else if (typeof message.requestBytes === "number")
                        object.requestBytes = options.longs === $String ? $String(message.requestBytes) : message.requestBytes;
                    else
                        object.requestBytes = options.longs === $String ? $util.Long.prototype.toString.call(message.requestBytes) : options.longs === $Number ? new $util.LongBits(message.requestBytes.low >>> 0, message.requestBytes.high >>> 0).toNumber(true) : message.requestBytes;
                if (message.serverName != null && $Object.hasOwnProperty.call(message, "serverName"))
                    object.serverName = message.serverName;
                if (message.protocols && message.protocols.length) {
                    object.protocols = $Array(message.protocols.length);
                    for (let j = 0; j < message.protocols.length; ++j)
                        object.protocols[j] = message.protocols[j];
                }
                if (message.device != null && $Object.hasOwnProperty.call(message, "device"))
                    object.device = message.device;
                if (message.region != null && $Object.hasOwnProperty.call(message, "region"))
                    object.region = message.region;
                if (message.encoderBlocks != null && $Object.hasOwnProperty.call(message, "encoderBlocks"))
                    object.encoderBlocks = message.encoderBlocks;
                return object;
            };

            Announcement.prototype.toJSON = function() {
                return Announcement.toObject(this, $protobuf.util.toJSONOptions);
            };

            return Announcement;
        })();

        v1.Trip = (function() {

            const Trip = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Trip.prototype.peerId = "";
            Trip.prototype.ms = 0;

            Trip.create = function(properties) {
                return new Trip(properties);
            };

            Trip.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.peerId != null && $Object.hasOwnProperty.call(message, "peerId") && message.peerId !== "")
                    writer.uint32(10).string(message.peerId);
                if (message.ms != null && $Object.hasOwnProperty.call(message, "ms") && !$Object.is(message.ms, 0))
                    writer.uint32(21).float(message.ms);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Trip.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.Trip();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.peerId = value;
                            else
                                delete message.peerId;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 5)
                                break;
                            if (!$Object.is(value = reader.float(), 0))
                                message.ms = value;
                            else
                                delete message.ms;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            Trip.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.Trip)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.Trip: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.Trip();
                if (object.peerId != null)
                    if (typeof object.peerId !== "string" || object.peerId.length)
                        message.peerId = $String(object.peerId);
                if (object.ms != null)
                    if (!$Object.is($Number(object.ms), 0))
                        message.ms = $Number(object.ms);
                return message;
            };

            Trip.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults) {
                    object.peerId = "";
                    object.ms = 0;
                }
                if (message.peerId != null && $Object.hasOwnProperty.call(message, "peerId"))
                    object.peerId = message.peerId;
                if (message.ms != null && $Object.hasOwnProperty.call(message, "ms"))
                    object.ms = options.json && !$isFinite(message.ms) ? $String(message.ms) : message.ms;
                return object;
            };

            Trip.prototype.toJSON = function() {
                return Trip.toObject(this, $protobuf.util.toJSONOptions);
            };

            return Trip;
        })();

        v1.ProbeRequest = (function() {

            const ProbeRequest = function (properties) {
                this.addresses = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            ProbeRequest.prototype.addresses = $util.emptyArray;

            ProbeRequest.create = function(properties) {
                return new ProbeRequest(properties);
            };

            ProbeRequest.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.addresses != null && message.addresses.length)
                    for (let i = 0; i < message.addresses.length; ++i)
                        writer.uint32(10).string(message.addresses[i]);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            ProbeRequest.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.ProbeRequest();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if (!(message.addresses && message.addresses.length))
                                message.addresses = [];
                            message.addresses.push(reader.stringVerify());
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            ProbeRequest.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.ProbeRequest)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.ProbeRequest: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.ProbeRequest();
                if (object.addresses) {
                    if (!$Array.isArray(object.addresses))
                        throw $TypeError(".swarmtune.v1.ProbeRequest.addresses: array expected");
                    message.addresses = $Array(object.addresses.length);
                    for (let i = 0; i < object.addresses.length; ++i)
                        message.addresses[i] = $String(object.addresses[i]);
                }
                return message;
            };

            ProbeRequest.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.arrays || options.defaults)
                    object.addresses = [];
                if (message.addresses && message.addresses.length) {
                    object.addresses = $Array(message.addresses.length);
                    for (let j = 0; j < message.addresses.length; ++j)
                        object.addresses[j] = message.addresses[j];
                }
                return object;
            };

            ProbeRequest.prototype.toJSON = function() {
                return ProbeRequest.toObject(this, $protobuf.util.toJSONOptions);
            };

            return ProbeRequest;
        })();

        v1.ProbeResponse = (function() {

            const ProbeResponse = function (properties) {
                this.dialed = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            ProbeResponse.prototype.version = "";
            ProbeResponse.prototype.time = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            ProbeResponse.prototype.seenAs = "";
            ProbeResponse.prototype.dialed = $util.emptyArray;

            ProbeResponse.create = function(properties) {
                return new ProbeResponse(properties);
            };

            ProbeResponse.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.version != null && $Object.hasOwnProperty.call(message, "version") && message.version !== "")
                    writer.uint32(10).string(message.version);
                if (message.time != null && $Object.hasOwnProperty.call(message, "time") && (typeof message.time === "object" ? message.time.low || message.time.high : message.time !== 0))
                    writer.uint32(16).uint64(message.time);
                if (message.seenAs != null && $Object.hasOwnProperty.call(message, "seenAs") && message.seenAs !== "")
                    writer.uint32(26).string(message.seenAs);
                if (message.dialed != null && message.dialed.length)
                    for (let i = 0; i < message.dialed.length; ++i)
                        $root.swarmtune.v1.DialResult.encode(message.dialed[i], writer.uint32(34).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            ProbeResponse.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.ProbeResponse();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.version = value;
                            else
                                delete message.version;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.time = value;
                            else
                                delete message.time;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.seenAs = value;
                            else
                                delete message.seenAs;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            if (!(message.dialed && message.dialed.length))
                                message.dialed = [];
                            message.dialed.push($root.swarmtune.v1.DialResult.decode(reader, reader.size(), $undefined, _depth + 1));
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            ProbeResponse.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.ProbeResponse)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.ProbeResponse: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.ProbeResponse();
                if (object.version != null)
                    if (typeof object.version !== "string" || object.version.length)
                        message.version = $String(object.version);
                if (object.time != null)
                    if (typeof object.time === "object" ? object.time.low || object.time.high : $Number(object.time) !== 0)
                        if ($util.Long)
                            message.time = $util.Long.fromValue(object.time, true);
                        else if (typeof object.time === "string")
                            message.time = $parseInt(object.time, 10);
                        else if (typeof object.time === "number")
                            message.time = object.time;
                        else if (typeof object.time === "object")
                            message.time = new $util.LongBits(object.time.low >>> 0, object.time.high >>> 0).toNumber(true);
                if (object.seenAs != null)
                    if (typeof object.seenAs !== "string" || object.seenAs.length)
                        message.seenAs = $String(object.seenAs);
                if (object.dialed) {
                    if (!$Array.isArray(object.dialed))
                        throw $TypeError(".swarmtune.v1.ProbeResponse.dialed: array expected");
                    message.dialed = $Array(object.dialed.length);
                    for (let i = 0; i < object.dialed.length; ++i) {
                        if (!$util.isObject(object.dialed[i]))
                            throw $TypeError(".swarmtune.v1.ProbeResponse.dialed: object expected");
                        message.dialed[i] = $root.swarmtune.v1.DialResult.fromObject(object.dialed[i], _depth + 1);
                    }
                }
                return message;
            };

            ProbeResponse.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.arrays || options.defaults)
                    object.dialed = [];
                if (options.defaults) {
                    object.version = "";
                    if ($util.Long) {
                        let long = new $util.Long(0, 0, true);
                        object.time = options.longs === $String ? long.toString() : options.longs === $Number ? long.toNumber() : typeof $BigInt !== "undefined" && options.longs === $BigInt ? long.toBigInt() : long;
                    } else
                        object.time = options.longs === $String ? "0" : typeof $BigInt !== "undefined" && options.longs === $BigInt ? $BigInt("0") : 0;
                    object.seenAs = "";
                }
                if (message.version != null && $Object.hasOwnProperty.call(message, "version"))
                    object.version = message.version;
                if (message.time != null && $Object.hasOwnProperty.call(message, "time"))
                    if (typeof $BigInt !== "undefined" && options.longs === $BigInt)
                        object.time = typeof message.time === "number" ? $BigInt(message.time) : $util.Long.fromBits(message.time.low >>> 0, message.time.high >>> 0, true).toBigInt();
                    else if (typeof message.time === "number")
                        object.time = options.longs === $String ? $String(message.time) : message.time;
                    else
                        object.time = options.longs === $String ? $util.Long.prototype.toString.call(message.time) : options.longs === $Number ? new $util.LongBits(message.time.low >>> 0, message.time.high >>> 0).toNumber(true) : message.time;
                if (message.seenAs != null && $Object.hasOwnProperty.call(message, "seenAs"))
                    object.seenAs = message.seenAs;
                if (message.dialed && message.dialed.length) {
                    object.dialed = $Array(message.dialed.length);
                    for (let j = 0; j < message.dialed.length; ++j)
                        object.dialed[j] = $root.swarmtune.v1.DialResult.toObject(message.dialed[j], options, _depth + 1);
                }
                return object;
            };

            ProbeResponse.prototype.toJSON = function() {
                return ProbeResponse.toObject(this, $protobuf.util.toJSONOptions);
            };

            return ProbeResponse;
        })();

        v1.DialResult = (function() {

            const DialResult = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            DialResult.prototype.address = "";
            DialResult.prototype.failure = "";

            DialResult.create = function(properties) {
                return new DialResult(properties);
            };

            DialResult.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.address != null && $Object.hasOwnProperty.call(message, "address") && message.address !== "")
                    writer.uint32(10).string(message.address);
                if (message.failure != null && $Object.hasOwnProperty.call(message, "failure") && message.failure !== "")
                    writer.uint32(18).string(message.failure);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            DialResult.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.DialResult();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.address = value;
                            else
                                delete message.address;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.failure = value;
                            else
                                delete message.failure;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            DialResult.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.DialResult)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.DialResult: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.DialResult();
                if (object.address != null)
                    if (typeof object.address !== "string" || object.address.length)
                        message.address = $String(object.address);
                if (object.failure != null)
                    if (typeof object.failure !== "string" || object.failure.length)
                        message.failure = $String(object.failure);
                return message;
            };

            DialResult.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.defaults) {
                    object.address = "";
                    object.failure = "";
                }
                if (message.address != null && $Object.hasOwnProperty.call(message, "address"))
                    object.address = message.address;
                if (message.failure != null && $Object.hasOwnProperty.call(message, "failure"))
                    object.failure = message.failure;
                return object;
            };

            DialResult.prototype.toJSON = function() {
                return DialResult.toObject(this, $protobuf.util.toJSONOptions);
            };

            return DialResult;
        })();

        v1.Invite = (function() {

            const Invite = function (properties) {
                this.peers = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Invite.prototype.name = "";
            Invite.prototype.secret = $util.newBuffer([]);
            Invite.prototype.peers = $util.emptyArray;
            Invite.prototype.model = $util.newBuffer([]);
            Invite.prototype.modelName = "";

            Invite.create = function(properties) {
                return new Invite(properties);
            };

            Invite.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.name != null && $Object.hasOwnProperty.call(message, "name") && message.name !== "")
                    writer.uint32(10).string(message.name);
                if (message.secret != null && $Object.hasOwnProperty.call(message, "secret") && message.secret.length)
                    writer.uint32(18).bytes(message.secret);
                if (message.peers != null && message.peers.length)
                    for (let i = 0; i < message.peers.length; ++i)
                        writer.uint32(26).bytes(message.peers[i]);
                if (message.model != null && $Object.hasOwnProperty.call(message, "model") && message.model.length)
                    writer.uint32(34).bytes(message.model);
                if (message.modelName != null && $Object.hasOwnProperty.call(message, "modelName") && message.modelName !== "")
                    writer.uint32(42).string(message.modelName);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Invite.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.swarmtune.v1.Invite();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.name = value;
                            else
                                delete message.name;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.secret = value;
                            else
                                delete message.secret;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            if (!(message.peers && message.peers.length))
                                message.peers = [];
                            message.peers.push(reader.bytes());
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.model = value;
                            else
                                delete message.model;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.modelName = value;
                            else
                                delete message.modelName;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            Invite.fromObject = function (object, _depth) {
                if (object instanceof $root.swarmtune.v1.Invite)
                    return object;
                if (!$util.isObject(object))
                    throw $TypeError(".swarmtune.v1.Invite: object expected");
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let message = new $root.swarmtune.v1.Invite();
                if (object.name != null)
                    if (typeof object.name !== "string" || object.name.length)
                        message.name = $String(object.name);
                if (object.secret != null)
                    if (object.secret.length)
                        if (typeof object.secret === "string")
                            $util.base64.decode(object.secret, message.secret = $util.newBuffer($util.base64.length(object.secret)), 0);
                        else if (object.secret.length >= 0)
                            message.secret = object.secret;
                if (object.peers) {
                    if (!$Array.isArray(object.peers))
                        throw $TypeError(".swarmtune.v1.Invite.peers: array expected");
                    message.peers = $Array(object.peers.length);
                    for (let i = 0; i < object.peers.length; ++i)
                        if (typeof object.peers[i] === "string")
                            $util.base64.decode(object.peers[i], message.peers[i] = $util.newBuffer($util.base64.length(object.peers[i])), 0);
                        else if (object.peers[i].length >= 0)
                            message.peers[i] = object.peers[i];
                }
                if (object.model != null)
                    if (object.model.length)
                        if (typeof object.model === "string")
                            $util.base64.decode(object.model, message.model = $util.newBuffer($util.base64.length(object.model)), 0);
                        else if (object.model.length >= 0)
                            message.model = object.model;
                if (object.modelName != null)
                    if (typeof object.modelName !== "string" || object.modelName.length)
                        message.modelName = $String(object.modelName);
                return message;
            };

            Invite.toObject = function (message, options, _depth) {
                if (!options)
                    options = {};
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                let object = {};
                if (options.arrays || options.defaults)
                    object.peers = [];
                if (options.defaults) {
                    object.name = "";
                    if (options.bytes === $String)
                        object.secret = "";
                    else {
                        object.secret = [];
                        if (options.bytes !== $Array)
                            object.secret = $util.newBuffer(object.secret);
                    }
                    if (options.bytes === $String)
                        object.model = "";
                    else {
                        object.model = [];
                        if (options.bytes !== $Array)
                            object.model = $util.newBuffer(object.model);
                    }
                    object.modelName = "";
                }
                if (message.name != null && $Object.hasOwnProperty.call(message, "name"))
                    object.name = message.name;
                if (message.secret != null && $Object.hasOwnProperty.call(message, "secret"))
                    object.secret = options.bytes === $String ? $util.base64.encode(message.secret, 0, message.secret.length) : options.bytes === $Array ? $Array.prototype.slice.call(message.secret) : message.secret;
                if (message.peers && message.peers.length) {
                    object.peers = $Array(message.peers.length);
                    for (let j = 0; j < message.peers.length; ++j)
                        object.peers[j] = options.bytes === $String ? $util.base64.encode(message.peers[j], 0, message.peers[j].length) : options.bytes === $Array ? $Array.prototype.slice.call(message.peers[j]) : message.peers[j];
                }
                if (message.model != null && $Object.hasOwnProperty.call(message, "model"))
                    object.model = options.bytes === $String ? $util.base64.encode(message.model, 0, message.model.length) : options.bytes === $Array ? $Array.prototype.slice.call(message.model) : message.model;
                if (message.modelName != null && $Object.hasOwnProperty.call(message, "modelName"))
                    object.modelName = message.modelName;
                return object;
            };

            Invite.prototype.toJSON = function() {
                return Invite.toObject(this, $protobuf.util.toJSONOptions);
            };

            return Invite;
        })();

        return v1;
    })();

    return swarmtune;
})();

export {
  $root as default
};
