namespace MeshL4.XRpc.Tests.Redis;

/// <summary>Seeds with bytes flipped, cut, doubled and spliced; the same for the same random numbers.</summary>
internal static class Mutation
{
    private static readonly byte[] Marks = [.. "*$+-:%~>|_#,(!=\r\n0123456789"u8];

    public static byte[] Of(byte[][] seeds, Random random)
    {
        var bytes = new List<byte>(seeds[random.Next(seeds.Length)]);
        for (int i = random.Next(1, 5); i > 0; i--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes[at] = Marks[random.Next(Marks.Length)]; break;
                case 2: bytes.RemoveRange(at, Math.Min(bytes.Count - at - 1, random.Next(4))); break;
                case 3: bytes.Insert(at, Marks[random.Next(Marks.Length)]); break;
                default: bytes.InsertRange(at, seeds[random.Next(seeds.Length)]); break;
            }
        }

        return [.. bytes];
    }
}
