using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config.Decoding;
using Any = Google.Protobuf.WellKnownTypes.Any;

namespace MeshL4.L4Proxy.Config;

/// <summary>
/// What of a message this build can act on: no fields that it does not know, nothing inside extensions that it does not know, and not what
/// <see cref="SensitiveFields"/> names and only others use. Two messages that are equal in that compile to the same, whatever the bytes they
/// came in. Recursion is as deep as the walker let the message in.
/// </summary>
internal static class KnownMessage
{
    /// <summary>A copy with only that; <paramref name="message"/> stays as it is.</summary>
    public static IMessage Of(IMessage message)
    {
        IMessage copy = Read(message.Descriptor, message.ToByteString());
        Reduce(copy);
        return copy;
    }

    /// <summary>Bytes that are equal for messages that are equal in that, also where the entries of their maps came in another order.</summary>
    public static byte[] FormOf(IMessage message)
    {
        IMessage known = Of(message);
        byte[] form = new byte[known.CalculateSize()];
        Write(known, form);
        return form;
    }

    private static IMessage Read(MessageDescriptor type, ByteString bytes) => type.Parser.WithDiscardUnknownFields(true).ParseFrom(bytes);

    private static void Write(IMessage message, byte[] form)
    {
        using var output = new CodedOutputStream(form) { Deterministic = true };
        message.WriteTo(output);
        output.CheckNoSpaceLeft();
    }

    private static void Reduce(IMessage message)
    {
        if (message is Any any)
        {
            ReduceInside(any);
            return;
        }

        foreach (FieldDescriptor field in message.Descriptor.Fields.InDeclarationOrder())
        {
            if (SensitiveFields.IsForOthers(field))
            {
                SensitiveFields.Remove(message, field);
            }
            else if (field.FieldType == FieldType.Message)
            {
                ReduceAll(field.Accessor.GetValue(message));
            }
        }
    }

    private static void ReduceAll(object? value)
    {
        switch (value)
        {
            case IDictionary map:
                ReduceEach(map.Values);
                break;
            case IList list:
                ReduceEach(list);
                break;
            case IMessage one:
                Reduce(one);
                break;
        }
    }

    private static void ReduceEach(ICollection values)
    {
        foreach (object value in values)
        {
            ReduceAll(value);
        }
    }

    private static void ReduceInside(Any any)
    {
        MessageDescriptor? type = MessageTypes.Find(any.TypeUrl);
        if (type is null || MessageTypes.IsTypedStruct(type))
        {
            any.Value = ByteString.Empty;
            return;
        }

        try
        {
            IMessage inner = Read(type, any.Value);
            Reduce(inner);
            byte[] form = new byte[inner.CalculateSize()];
            Write(inner, form);
            any.Value = UnsafeByteOperations.UnsafeWrap(form);
        }
        catch (InvalidProtocolBufferException)
        {
            any.Value = ByteString.Empty;
        }
    }
}
