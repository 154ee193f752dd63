using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <summary>No codec takes the frames of another for its own, but for those that <see cref="CodecSample.AlsoDetectedAs"/> names.</summary>
public static class DetectionMatrix
{
    /// <summary>Frames shorter than this may leave a codec undecided.</summary>
    private const int Enough = 40;

    /// <summary>Gives each codec the first speaker's golden frames of each other.</summary>
    /// <returns>How many pairs of a codec and a foreign frame were looked at.</returns>
    /// <exception cref="ConformanceException">A frame is detected as another protocol's that is not named.</exception>
    public static int Check(IReadOnlyList<ICodecConformance> codecs)
    {
        int looks = 0;
        foreach (ICodecConformance codec in codecs)
        {
            foreach (ICodecConformance other in codecs.Where(other => other != codec))
            {
                bool mayTake = other.Sample.AlsoDetectedAs.Contains(codec.Name);
                bool takes = false;
                foreach (GoldenFrame frame in other.Sample.From(other.FirstSpeaker))
                {
                    looks++;
                    Detection detection = codec.Detect(frame.Bytes);
                    ConformanceException.Unless(
                        detection == Detection.No || mayTake || (detection == Detection.More && frame.Bytes.Length < Enough),
                        () => $"{codec.Name} says {detection} of {other.Name}'s {frame}");
                    takes |= detection == Detection.Yes;
                }

                ConformanceException.Unless(
                    takes || !mayTake, () => $"{codec.Name} takes none of {other.Name}'s frames, and {nameof(CodecSample.AlsoDetectedAs)} says that it does");
            }
        }

        return looks;
    }
}
