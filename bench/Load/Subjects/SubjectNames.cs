namespace MeshL4.Load.Subjects;

/// <summary>The subjects by name, as they stand in tables, bars and JSON.</summary>
internal static class SubjectNames
{
    public const string Direct = DirectSubject.Name;
    public const string Haproxy = "haproxy";
    public const string HaproxyAgain = "haproxy again";
    public const string HaproxySplice = "haproxy splice";
    public const string HaproxySpliceAgain = "haproxy splice again";
    public const string Nginx = "nginx";
    public const string Mesh = "meshl4";
    public const string MeshRedis = "meshl4 redis codec";
    public const string MeshRedisOneLoop = "meshl4 redis, 1 loop";
    public const string MeshOneRoute = "meshl4 1 route";
    public const string MeshRoutes = "meshl4 5,000 routes";
    public const string MeshTwoConnections = "meshl4 redis, 2 connections a loop";
    public const string MeshPatient = "meshl4 redis, patient";
    public const string Twemproxy = "twemproxy";
}
